"""The table panel: sorting, filters, pages and files."""

from __future__ import annotations

import csv
import gzip
import io

import numpy as np
import pandas as pd
import pytest
from hostile_names import EVIL_COMPOUND
from hypothesis import given, settings
from hypothesis import strategies as st

from cellos_nb.domain.history import COLUMNS
from cellos_nb.errors import InputError
from cellos_nb.panels import TablePanel
from cellos_nb.panels.table.model import MAX_WINDOW, Query, select, window
from cellos_nb.panels.table.widget import CHUNK_BYTES, VirtualTable
from cellos_nb.records.exports import csv_text

FRAME = pd.DataFrame(
    {"compound": ["b", "a", "B", None], "value": [0.5, np.nan, 2.0, 0.5], "n": pd.array([1, 2, None, 3], "Int64")}
).astype({"compound": "string"})


@pytest.fixture
def panel(lab):
    with TablePanel(lab) as opened:
        assert opened.widget
        yield opened


def ask(panel, **asked) -> None:
    panel._table.asked = {"first": 0, "n": 50, "sort": [], "filters": {}} | asked


def download(panel, file_format: str) -> tuple[str, bytes]:
    """As the page does it: asks for the file, then for one piece after the other."""
    sent = []
    panel._table.send = lambda content, buffers=None: sent.append((content, buffers))
    panel._table._handle_custom_msg({"kind": "download", "format": file_format}, [])
    (offer, _) = sent.pop()
    assert offer["kind"] == "file"
    for n in range(offer["n_chunks"]):
        panel._table._handle_custom_msg({"kind": "chunk", "n": n}, [])
    return offer["name"], gzip.decompress(b"".join(buffers[0] for _, buffers in sent))


@pytest.mark.parametrize(
    ("column", "text", "places"),
    [
        ("compound", "b", [0, 2]),
        ("compound", "none", [3]),
        ("value", "0.5", [0, 3]),
        ("value", ">0.5", [2]),
        ("value", ">= 0.5", [0, 2, 3]),
        ("value", "1..3", [2]),
        ("value", "NONE", [1]),
        ("n", "<=2", [0, 1]),
        ("n", "none", [2]),
        ("n", "  ", [0, 1, 2, 3]),
    ],
)
def test_a_filter_keeps_the_rows_that_it_says(column, text, places):
    assert select(FRAME, Query(filters=((column, text),))).tolist() == places


@pytest.mark.parametrize("text", ["abc", "1..", "<<2", "__import__('os')"])
def test_a_filter_that_is_none_is_refused_with_what_is_possible(text):
    with pytest.raises(InputError, match=r"possible: 0\.5, <0\.5"):
        select(FRAME, Query(filters=(("value", text),)))


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="there are compound, value, n"):
        select(FRAME, Query(sort_by="taste"))


def test_text_is_searched_as_it_stands_and_not_as_a_pattern():
    frame = pd.DataFrame({"name": ["a.c", "abc"]}).astype("string")
    assert select(frame, Query(filters=(("name", "a.c"),))).tolist() == [0]


@given(values=st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=30), down=st.booleans())
@settings(max_examples=40, deadline=None)
def test_sorting_keeps_every_row_and_puts_what_is_missing_last(values, down):
    frame = pd.DataFrame({"value": np.array(values, dtype=float)})
    places = select(frame, Query("value", down))
    assert sorted(places.tolist()) == list(range(len(values)))
    ordered = [values[i] for i in places]
    present = [value for value in ordered if value is not None]
    assert present == sorted(present, reverse=down)
    assert None not in ordered[: len(present)]


@given(first=st.integers(-5, 200), n=st.integers(-5, 2000), rows=st.integers(0, 500))
@settings(max_examples=40, deadline=None)
def test_a_window_lies_inside_the_rows_and_is_bounded(first, n, rows):
    frame = pd.DataFrame({"value": np.arange(rows, dtype=float)})
    shown = window(frame, np.arange(rows), first, n)
    assert len(shown.rows) <= min(max(n, 0), MAX_WINDOW)
    assert shown.first + len(shown.rows) <= rows
    assert [row[0] for row in shown.rows] == [f"{v:.5g}" for v in frame["value"][shown.first :][: len(shown.rows)]]


def test_the_rows_in_sight_are_those_of_the_history(panel, lab):
    ask(panel, first=10, n=5)
    frame = lab.campaigns()[0].history()
    answer = panel._table.answer
    assert (answer["first"], answer["n_all"]) == (10, len(frame))
    wells = [row[list(COLUMNS).index("well")] for row in answer["rows"]]
    assert wells == frame["well"].iloc[10:15].tolist()


def test_sorting_and_filters_of_the_page_reach_the_rows(panel, lab):
    ask(panel, sort=["value", "descending"], filters={"compound": "pacli"})
    frame = lab.campaigns()[0].history()
    wanted = frame[frame["compound"] == "paclitaxel"].sort_values("value", ascending=False, kind="stable")
    names = list(COLUMNS)
    assert [row[names.index("well")] for row in panel._table.answer["rows"]] == wanted["well"].tolist()[:50]
    assert panel._table.answer["n_matching"] == len(wanted)


def test_a_filter_that_cannot_be_read_is_said_in_the_panel_and_the_rows_stay(panel):
    before = panel._table.answer
    ask(panel, filters={"value": "<<"})
    assert "is no filter for numbers" in panel.widget.children[-1].value
    assert panel._table.answer == before
    ask(panel)
    assert panel.widget.children[-1].value == ""


def test_the_csv_of_everything_is_the_campaigns_export(panel, lab):
    name, content = download(panel, "csv")
    assert name == f"{panel.campaign.campaign_id}.csv"
    assert content.decode() == csv_text(lab.campaigns()[0].results)


def test_formulas_in_a_csv_are_disarmed(panel):
    rows = list(csv.DictReader(io.StringIO(download(panel, "csv")[1].decode())))
    assert "'" + EVIL_COMPOUND in {row["compound"] for row in rows}
    assert not any(row["compound"].startswith("=") for row in rows)


def test_parquet_reads_back_as_the_same_table(panel, lab):
    ask(panel, filters={"cell_line": "U2OS"})
    frame = lab.campaigns()[0].history()
    wanted = frame[frame["cell_line"] == "U2OS"].reset_index(drop=True)
    read = pd.read_parquet(io.BytesIO(download(panel, "parquet")[1]))
    pd.testing.assert_frame_equal(read, wanted)


def test_a_format_that_is_not_there_is_refused_in_the_panel(panel):
    panel._table._handle_custom_msg({"kind": "download", "format": "exe"}, [])
    assert "possible: csv, parquet" in panel.widget.children[-1].value


def test_a_large_file_goes_in_pieces_that_the_server_lets_through():
    table = VirtualTable(lambda _: None)
    sent = []
    table.send = lambda content, buffers=None: sent.append((content, buffers))
    content = np.random.default_rng(0).bytes(3 * CHUNK_BYTES)
    table.offer("x.bin", content)
    for n in range(sent[0][0]["n_chunks"]):
        table._handle_custom_msg({"kind": "chunk", "n": n}, [])
    pieces = [buffers[0] for _, buffers in sent[1:]]
    assert max(len(piece) for piece in pieces) <= CHUNK_BYTES
    assert gzip.decompress(b"".join(pieces)) == content
    table._handle_custom_msg({"kind": "chunk", "n": 99}, [])
    table._handle_custom_msg({"kind": "chunk", "n": "0"}, [])
    assert len(sent) == len(pieces) + 1
    table.close()


def test_a_hundred_thousand_rows_are_searched_without_being_sent():
    frame = pd.DataFrame({"value": np.arange(100_000, dtype=float), "name": pd.array(["x"] * 100_000, "string")})
    places = select(frame, Query("value", is_descending=True, filters=(("name", "X"), ("value", ">=50000"))))
    shown = window(frame, places, 49_990, 100)
    assert (shown.n_matching, len(shown.rows)) == (50_000, 10)
    assert shown.rows[-1][0] == "50000"
