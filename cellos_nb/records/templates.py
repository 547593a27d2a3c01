"""The notebook templates and how they are run headlessly."""

from __future__ import annotations

import logging
import os
import re
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from cellos_nb.errors import CellosError, InputError, OutputError

if TYPE_CHECKING:
    from traitlets.config import Config

log = logging.getLogger(__name__)

# In a wheel the templates lie inside the package, in a checkout beside it.
_FOLDERS = (Path(__file__).parents[1] / "templates", Path(__file__).parents[2] / "templates")

_UNDESCRIBED = "No description has been provided for this image"
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)


class TemplateError(CellosError):
    """A template notebook failed; the executed notebook shows where."""


def template_paths() -> tuple[Path, ...]:
    """The files of all templates, by name."""
    found = {path.stem: path for folder in reversed(_FOLDERS) for path in folder.glob("*.ipynb")}
    return tuple(found[name] for name in sorted(found))


def template_path(name: str) -> Path:
    """The file of a template.

    Raises:
        InputError: no template by that name; the message lists those there are.
    """
    known = {path.stem: path for path in template_paths()}
    if name not in known:
        raise InputError(f"{name}: there is no such template; possible: {', '.join(known)}.")
    return known[name]


def run_template(
    name: str, output: Path, parameters: dict[str, Any], *, cwd: Path | None = None, timeout_s: int = 600
) -> None:
    """Executes a template into `output`; a failed run leaves the notebook that shows it.

    It runs in `cwd`, to which file names in its parameters are relative; in the folder of `output` when left out.

    Raises:
        InputError: a parameter that the template does not have.
        TemplateError: a cell failed or took longer than `timeout_s`.
        OutputError: the notebook cannot be written.
    """
    import papermill

    source = template_path(name)
    known = papermill.inspect_notebook(str(source))
    unknown = [key for key in parameters if key not in known]
    if unknown:
        raise InputError(f"{name}: unknown parameter {', '.join(unknown)}; possible: {', '.join(known)}.")
    log.info("running template %s into %s", name, output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        papermill.execute_notebook(
            str(source),
            str(output),
            parameters=parameters,
            cwd=str(cwd or output.parent),
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=timeout_s,
            log_output=False,
            config=_kernel_config(),
        )
        _forget_places(output)
    except papermill.PapermillExecutionError as error:
        _forget_places(output)
        raise TemplateError(f"{name}: cell {error.exec_count} failed: {error.ename}: {error.evalue}") from error
    except TimeoutError as error:
        raise TemplateError(
            f"{name}: a cell took longer than {timeout_s} s; the notebook {output} shows it."
        ) from error
    except OSError as error:
        raise OutputError(f"{output}: cannot be written: {error.strerror or error}.") from error


def _forget_places(notebook: Path) -> None:
    """Takes the folders of this machine out of what papermill notes in a notebook."""
    content = nbformat.read(notebook, as_version=4)
    noted = content.metadata.get("papermill", {})
    for key in ("input_path", "output_path"):
        if noted.get(key):
            noted[key] = Path(noted[key]).name
    nbformat.write(content, notebook)


def _kernel_config() -> Config:
    """Sockets in the file system where there are such: nobody else on the machine can listen to them."""
    from traitlets.config import Config

    return Config({"KernelManager": {"transport": "ipc" if os.name == "posix" else "tcp"}})


def export_html(notebook: Path, output: Path) -> None:
    """Writes a notebook as one HTML page that needs no network: outputs and text, code left to the notebook."""
    from nbconvert import HTMLExporter

    content = nbformat.read(notebook, as_version=4)
    # The exporter warns of images without a description, because its template drops the ones there are.
    quiet = logging.getLogger(f"{__name__}.nbconvert")
    quiet.setLevel(logging.ERROR)
    exporter = HTMLExporter(template_name="lab", exclude_input=True, exclude_output_prompt=True, log=quiet)
    body, _ = exporter.from_notebook_node(content)
    # The exporter's scripts fetch formula, diagram and widget libraries, none of which a record has.
    output.write_text(_SCRIPT.sub("", _describe_images(body, content)), encoding="utf-8")


def _describe_images(page: str, notebook: nbformat.NotebookNode) -> str:
    """Puts the descriptions of a notebook's figures onto the images of its page."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    images = [output for output in outputs if "image/png" in output.get("data", {})]
    descriptions = iter([image.metadata.get("image/png", {}).get("alt", _UNDESCRIBED) for image in images])
    return re.sub(_UNDESCRIBED, lambda _: escape(next(descriptions)), page)


def python_version() -> str:
    """The running Python as `3.11.7`."""
    return ".".join(map(str, sys.version_info[:3]))
