"""Everything that people can use is documented; each failure says what is missing and where it belongs."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest
import typer

from cellos_nb.cli.app import app
from cellos_nb.cli.examples import EXAMPLES
from cellos_nb.records.catalogue import templates

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "site"))

import commands as command_pages  # noqa: E402
import names as name_pages  # noqa: E402
import settings as setting_pages  # noqa: E402

HOW_TO = "\n".join(path.read_text(encoding="utf-8") for path in sorted((DOCS / "how-to").glob("*.md")))
COMMANDS = dict(command_pages.commands())


def test_every_option_and_argument_of_every_command_says_what_it_is():
    assert command_pages.undescribed() == [], "give each a `help=` where it is declared"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_shows_an_example(name):
    command = COMMANDS[name]
    assert command.help, f"{name}: its function needs a docstring"
    if not getattr(command, "commands", None) or command.name in {"templates", "bench"}:
        assert EXAMPLES.get(name.removeprefix("cellos ")), f"{name}: add an example to cellos_nb/cli/examples.py"


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in EXAMPLES.items() for line in lines])
def test_every_example_is_one_that_its_command_accepts(name, line):
    import shlex

    words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
    command, path = typer.main.get_command(app), []
    while getattr(command, "commands", None):
        context = command.make_context("cellos", list(words))
        words = [*context._protected_args, *context.args]
        if not words:
            break
        path.append(words[0])
        command = command.commands[words.pop(0)]
    else:
        command.make_context(command.name, list(words))
    assert " ".join(path) in {name, name.removesuffix(" write")}


def test_every_command_is_told_about():
    told = HOW_TO + (ROOT / "README.md").read_text(encoding="utf-8") + (DOCS / "explanation/execution.md").read_text()
    missing = [name for name in COMMANDS if name.removesuffix(" write") not in told and "robot" not in name]
    assert missing == [], "say on a page under docs/how-to what each is for"


def test_every_template_says_what_it_asks_and_every_parameter_what_it_is():
    page = (DOCS / "how-to" / "templates.md").read_text(encoding="utf-8")
    for each in templates():
        assert each.description, f"{each.name}: say what it is for below the title of its first cell"
        assert [p.name for p in each.parameters if not p.help or p.kind == "None"] == [], (
            f"{each.name}: give each parameter a type and a comment in the parameters cell"
        )
        assert f"`{each.name}`" in page, f"{each.name}: add a row to docs/how-to/templates.md"


def test_every_notebook_is_told_about():
    page = (DOCS / "how-to" / "notebooks.md").read_text(encoding="utf-8")
    missing = [path.stem for path in (ROOT / "notebooks").glob("*.ipynb") if f"`{path.stem}`" not in page]
    assert missing == [], "add a row for each to docs/how-to/notebooks.md"


def test_every_panel_is_told_about():
    from cellos_nb import panels

    page = HOW_TO
    missing = [name for name in panels.__all__ if f"`{name}" not in page]
    assert missing == [], "add a row for each to docs/how-to/panels.md"


def test_every_setting_says_what_it_is():
    assert setting_pages.unexplained() == [], "write what each means in a string below the field"


def test_every_setting_stands_in_the_reference():
    page = setting_pages.page()
    for group in setting_pages.models().values():
        for model in group:
            for key in model.model_fields:
                assert f"| `{key}` |" in page, f"{model.__module__}.{model.__name__}.{key}"


@pytest.mark.parametrize("package", name_pages.packages(), ids=lambda package: package.module)
def test_every_public_name_says_what_it_is(package):
    for name, value in name_pages.public_names(package).items():
        assert inspect.getdoc(value), f"{package.module}.{name}: needs a docstring"
        if inspect.isclass(value):
            for key, member in vars(value).items():
                is_told = key.startswith(("_", "test_")) or not inspect.isfunction(member) or inspect.getdoc(member)
                assert is_told, f"{package.module}.{name}.{key}: needs a docstring"


def test_every_name_that_a_notebook_imports_stands_in_the_reference():
    assert {package.module for package in name_pages.packages()} >= {
        "cellos_nb",
        "cellos_nb.panels",
        "cellos_nb.planner",
    }
    import cellos_nb

    page = name_pages.name_page(name_pages.PACKAGES[0])
    assert [name for name in cellos_nb.__all__ if name != "__version__" and f"[`{name}`]" not in page] == []


def test_every_environment_variable_is_in_the_reference():
    page = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    missing = {name: files for name, files in name_pages.variables().items() if name not in page
               and not name.startswith("CELLOS_CHANNEL_")}  # fmt: skip
    assert missing == {}, "add a row for each to docs/reference/environment.md"


def test_every_decision_has_its_four_parts():
    for path in (DOCS / "decisions").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        for part in ("Context", "Decision", "Consequences", "Rejected"):
            assert re.search(rf"\*\*{part}\.\*\*|## {part}", text), f"{path.name}: **{part}.** is missing"
        assert re.match(rf"# 0*{int(path.name[:4])}[.:] ", text), f"{path.name}: its title begins with its number"
