"""Files and folders appear whole or not at all."""

from __future__ import annotations

import pytest

from cellos_nb.errors import OutputError
from cellos_nb.records.atomic import new_file, new_folder


class Broken(Exception):
    pass


def test_a_file_replaces_the_old_one_only_when_it_is_whole(tmp_path):
    path = tmp_path / "a" / "x.txt"
    with new_file(path) as partial:
        partial.write_text("one")
    with pytest.raises(Broken), new_file(path) as partial:
        partial.write_text("tw")
        raise Broken
    assert path.read_text() == "one"
    assert [item.name for item in path.parent.iterdir()] == ["x.txt"]


def test_a_folder_replaces_the_old_one_only_when_it_is_whole(tmp_path):
    path = tmp_path / "record"
    with new_folder(path) as partial:
        (partial / "x").write_text("one")
    with pytest.raises(Broken), new_folder(path) as partial:
        (partial / "x").write_text("two")
        raise Broken
    assert (path / "x").read_text() == "one"
    with new_folder(path) as partial:
        (partial / "y").write_text("three")
    assert [item.name for item in path.iterdir()] == ["y"]
    assert [item.name for item in tmp_path.iterdir()] == ["record"]


@pytest.mark.parametrize("new", [new_file, new_folder], ids=["file", "folder"])
def test_a_place_that_cannot_be_written_is_named_with_what_to_do(new):
    with pytest.raises(OutputError, match=r"/sys/x: cannot be written: .*choose a folder"), new("/sys/x") as partial:
        partial.write_text("never")
