"""Notebooks that are copied to a person's folder, and what that person changed in them."""

from __future__ import annotations

import json

import pytest

from cellos_nb.errors import InputError
from cellos_nb.records.notebooks import copy_notebooks, shipped_notebooks

NAMES = tuple(path.name for path in shipped_notebooks())


def edit(path, change):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change(notebook)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def add_a_cell(notebook):
    notebook["cells"].append({"cell_type": "markdown", "id": "mine", "metadata": {}, "source": ["my own words"]})


def pretend_an_older_release(notebook):
    """As if this copy had been made by a release whose notebook was another, and never edited since."""
    from cellos_nb.records.notebooks import _digest

    add_a_cell(notebook)
    notebook["metadata"]["cellos_nb"]["sha256"] = _digest(notebook)


def sources(path):
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]


def test_every_notebook_is_copied_with_the_cells_it_is_shipped_with(tmp_path):
    assert copy_notebooks(tmp_path / "new").written == NAMES != ()
    for shipped in shipped_notebooks():
        assert sources(tmp_path / "new" / shipped.name) == sources(shipped)


def test_a_notebook_that_a_person_changed_is_kept_and_named(tmp_path):
    copy_notebooks(tmp_path)
    edit(tmp_path / NAMES[0], add_a_cell)
    copied = copy_notebooks(tmp_path)
    assert (copied.kept, copied.written) == ((NAMES[0],), ())
    assert sources(tmp_path / NAMES[0])[-1] == "my own words"


def test_a_changed_notebook_is_replaced_when_asked_for_afresh(tmp_path):
    copy_notebooks(tmp_path)
    edit(tmp_path / NAMES[0], add_a_cell)
    assert copy_notebooks(tmp_path, is_fresh=True).written == NAMES
    assert "my own words" not in sources(tmp_path / NAMES[0])


def test_a_notebook_that_was_only_run_is_no_changed_one(tmp_path):
    copy_notebooks(tmp_path)
    edit(tmp_path / NAMES[0], lambda notebook: notebook["cells"][-1].update(outputs=[], execution_count=7))
    before = (tmp_path / NAMES[0]).read_bytes()
    assert copy_notebooks(tmp_path).kept == ()
    assert (tmp_path / NAMES[0]).read_bytes() == before


def test_an_untouched_notebook_of_an_older_release_becomes_the_new_one(tmp_path):
    copy_notebooks(tmp_path)
    edit(tmp_path / NAMES[0], pretend_an_older_release)
    assert copy_notebooks(tmp_path).written == (NAMES[0],)
    assert "my own words" not in sources(tmp_path / NAMES[0])


def test_a_file_that_is_no_notebook_is_refused_and_left_alone(tmp_path):
    (tmp_path / NAMES[0]).write_text("not JSON", encoding="utf-8")
    with pytest.raises(InputError, match=r"is none .* --fresh"):
        copy_notebooks(tmp_path)
    assert (tmp_path / NAMES[0]).read_text(encoding="utf-8") == "not JSON"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "room").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="is a file"):
        copy_notebooks(tmp_path / "room")
