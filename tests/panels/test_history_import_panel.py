"""Earlier results by fields: guessed with reasons, refused beside the field, imported once."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import openpyxl
import pytest

from cellos_nb import Lab
from cellos_nb.panels import HistoryImportPanel
from cellos_nb.panels.cells import tree_of
from cellos_nb.panels.static import bundles

HEADERS = ["Cell line", "Drug", "Dose (nM)", "Viability (%)", "Plate", "Well"]
EVIL = "<img src=x onerror=alert(1)>"


def wells(n=12, drug="Trametinib"):
    return [["RD-ES", drug, 10 ** (i % 3), 95 - 30 * (i % 3) - i / 10, "P1", f"B{i + 1:02d}"] for i in range(n)]


def table(path: Path, rows=None, headers=HEADERS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([headers, *(wells() if rows is None else rows)])
    return path


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab.db") as opened:
        yield opened


@pytest.fixture
def panel(lab):
    with HistoryImportPanel(lab) as opened:
        assert opened.widget
        yield opened


def clicked(panel, action):
    """What a click does, in this thread."""
    with panel.errors.caught():
        panel.errors.clear()
        action()
    panel.refresh()


def filed(panel, path, sheet=""):
    panel.choice = panel.choice.of_file(str(path), sheet)
    clicked(panel, panel._guess)


def answered(panel, key, value):
    panel.choice = panel.choice.with_value(key, value)
    panel.refresh()


def test_without_a_file_it_asks_for_one(panel):
    assert "press Guess" in panel._head.value
    clicked(panel, panel._guess)
    assert "give the table" in panel._foot.value
    assert panel.import_button.disabled


def test_guess_fills_each_field_and_says_why_beside_it(panel, tmp_path):
    filed(panel, table(tmp_path / "screen.csv"))
    values = {key: widget.value for key, widget in panel.inputs.items()}
    assert values["name"] == "screen"
    assert values["columns.compound"] == "Drug"
    assert values["columns.date"] == ""
    assert (values["dose_unit"], values["response.kind"]) == ("nM", "percent")
    assert [label for label, _ in panel.inputs["columns.dose"].options] == ["choose one", *HEADERS]
    assert "its header says so" in panel._beside["columns.compound"].value
    assert "may be left out" in panel._beside["columns.date"].value


def test_the_first_wells_are_shown_as_they_are_understood_and_counted(panel, tmp_path):
    filed(panel, table(tmp_path / "screen.csv"))
    rows = panel.shown.preview_rows()
    assert [row[0] for row in rows] == [str(n) for n in range(2, 12)]
    assert rows[1] == ("3", "RD-ES", "Trametinib", "0.01", "0.649", "P1", "B2", "", "")
    assert dict(panel.shown.counts()) == {
        "lines": 12, "treated wells": 12, "experiments": 3, "compounds": 1, "cell lines": 1, "doses": 3
    }  # fmt: skip
    assert not panel.import_button.disabled


def test_a_wrong_unit_is_said_beside_its_field_and_blocks_the_import(panel, lab, tmp_path):
    filed(panel, table(tmp_path / "screen.csv"))
    answered(panel, "dose_unit", "mM")
    assert "dose_unit says mM" in panel._beside["dose_unit"].value
    assert "guessed &#39;nM&#39;" in panel._beside["dose_unit"].value
    assert panel.import_button.disabled
    assert "1 thing has to be corrected" in panel._head.value
    clicked(panel, panel._import)
    assert "Nothing can be imported" in panel._foot.value
    assert not lab.store.campaign_ids()
    answered(panel, "dose_unit", "nM")
    assert not panel.import_button.disabled


def test_a_field_that_must_be_filled_in_says_so_beside_it(panel, tmp_path):
    filed(panel, table(tmp_path / "screen.csv", headers=["Cell line", "Drug", "Dose", *HEADERS[3:]]))
    assert "the header names no unit" in panel._beside["dose_unit"].value
    assert 'role="alert"' in panel._beside["dose_unit"].value
    assert panel.import_button.disabled
    answered(panel, "dose_unit", "µM")
    assert panel.shown.ready.config.dose_range_um == (1.0, 100.0)


def test_a_file_is_read_once_for_all_changes_of_fields_and_anew_once_it_was_written(panel, tmp_path):
    path = table(tmp_path / "screen.csv")
    filed(panel, path)
    read = panel.shown.ready.table
    answered(panel, "name", "another")
    answered(panel, "goal", "maximise")
    assert panel.shown.ready.table is read
    table(path, wells(13))
    panel.refresh()
    assert len(panel.shown.ready.table.lines) == 13


def test_what_is_imported_is_read_from_the_disk_whatever_the_clock_of_the_file_says(panel, lab, tmp_path):
    path = table(tmp_path / "screen.csv")
    filed(panel, path)
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"P1", b"P7"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    clicked(panel, panel._import)
    assert "The file is another one than was shown" in panel._foot.value
    assert not lab.store.campaign_ids()


def test_cells_that_cannot_be_are_listed_with_what_is_possible_and_the_rest_is_counted(panel, tmp_path):
    rows = [[*row[:3], "much", *row[4:]] for row in wells(25)]
    rows = [[*row[:5], f"{'ABC'[n // 12]}{n % 12 + 1}"] for n, row in enumerate(rows)]
    filed(panel, table(tmp_path / "screen.csv", rows))
    listed = panel.shown.problem_rows()
    assert listed[0] == ("2", "Viability (%)", "much", "give a number, with a point before its decimals")
    assert len(listed) == 20
    assert "… and 5 more" in panel._html["problems"].value
    assert panel._wrong.layout.display is None
    assert panel._understood.layout.display == "none"
    assert panel.import_button.disabled


def test_an_import_makes_a_campaign_whose_history_is_the_file_and_says_what_comes_next(panel, lab, tmp_path):
    filed(panel, table(tmp_path / "screen.csv"))
    answered(panel, "name", "screen of 2023")
    clicked(panel, panel._import)
    (name,) = lab.store.campaign_ids()
    assert panel.launched.campaign_id == name
    assert f"Imported as the campaign {name}" in panel._head.value
    assert f"cellos learn-prior {name}" in panel._html["next"].value
    assert panel.import_button.disabled
    frame = lab.campaign(name).history()
    assert len(frame) == 12
    assert sorted(set(frame["dose_um"])) == pytest.approx([0.001, 0.01, 0.1])


def test_the_same_file_is_said_to_be_there_already_and_is_stored_once(panel, lab, tmp_path):
    path = table(tmp_path / "screen.csv")
    filed(panel, path)
    clicked(panel, panel._import)
    with HistoryImportPanel(lab, path) as again:
        assert again.widget
        assert "is there already" in again._head.value
        assert again.import_button.disabled
        clicked(again, again._import)
    assert len(lab.store.campaign_ids()) == 1


def test_a_name_typed_just_before_the_click_counts_and_a_file_that_changed_is_refused(panel, lab, tmp_path):
    path = table(tmp_path / "screen.csv")
    filed(panel, path)
    table(path, wells(11))
    clicked(panel, panel._import)
    assert "another one than was shown" in panel._foot.value
    assert not lab.store.campaign_ids()
    panel.choice = panel.choice.with_value("name", "typed late")
    clicked(panel, panel._import)
    (name,) = lab.store.campaign_ids()
    assert lab.campaign(name).config.name == "typed late"


def test_another_file_is_guessed_anew_and_one_that_changes_is_seen(panel, tmp_path):
    path = table(tmp_path / "screen.csv")
    filed(panel, path)
    answered(panel, "dose_unit", "mM")
    before = panel.stamp()
    table(path, wells(11))
    assert panel.stamp() != before
    panel.choice = panel.choice.of_file(str(table(tmp_path / "other.csv")), "")
    panel.refresh()
    assert panel._mapping.layout.display == "none"
    assert panel.choice.changed == ()


def test_a_file_that_cannot_be_read_is_named(panel, tmp_path):
    filed(panel, tmp_path / "none.csv")
    assert "cannot be read (No such file" in panel._html["trouble"].value
    assert panel.import_button.disabled


def test_of_a_workbook_with_several_sheets_one_is_named(panel, tmp_path):
    book = openpyxl.Workbook()
    for name in ("Notes", "Data"):
        for line in [HEADERS, *wells()]:
            (book[name] if name in book.sheetnames else book.create_sheet(name)).append(line)
    book.remove(book["Sheet"])
    book.save(tmp_path / "screen.xlsx")
    filed(panel, tmp_path / "screen.xlsx")
    assert "Notes, Data" in panel._html["trouble"].value
    filed(panel, tmp_path / "screen.xlsx", "Data")
    assert panel.shown.ready.mapping.sheet == "Data"
    assert not panel.import_button.disabled


def test_nothing_in_a_file_becomes_html(panel, lab, tmp_path):
    from ipywidgets import HTML

    path = table(
        tmp_path / "screen.csv", wells(drug=EVIL), headers=["Cell line", f"Drug {EVIL}", *HEADERS[2:5], f"Well {EVIL}"]
    )
    filed(panel, path)
    assert panel.shown.ready is not None

    def html():
        return " ".join(each.value for each in tree_of(panel.widget) if isinstance(each, HTML))

    assert "&lt;img src=x" in html()
    assert "<img" not in html()
    table(path, [[*row[:3], EVIL, *row[4:]] for row in wells()])
    panel.refresh()
    assert len(panel.shown.problems) == 12
    assert "&lt;img src=x" in panel._html["problems"].value
    assert "<img" not in html()
    with HistoryImportPanel(lab, path, static=True) as still:
        form = still.static_form(still.read())
    assert all("<img" not in bundle["text/html"] for bundle, _ in bundles(form))


def test_the_static_form_has_the_mapping_with_its_reasons_and_the_preview(lab, tmp_path):
    with HistoryImportPanel(lab, table(tmp_path / "screen.csv"), static=True) as panel:
        form = panel.static_form(panel.read())
    assert [each.caption for each in form.tables] == ["Mapping", "As it is understood"]
    mapping = form.tables[0].frame.set_index("key")
    assert mapping.loc["dose_unit", "value"] == "nM"
    assert len(form.tables[1].frame) == 10
