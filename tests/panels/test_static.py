"""What a panel leaves where nobody can click, as nbconvert shows it."""

from __future__ import annotations

import nbformat
import pandas as pd
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter

from cellos_nb.panels.static import MAX_ROWS, StaticForm, StaticTable, bundles, new_figure, over_doses, static_figure

EVIL = '"><img src=x onerror=alert(1)>'


def page_of(form: StaticForm) -> str:
    outputs = [nbformat.v4.new_output("display_data", data, metadata=metadata) for data, metadata in bundles(form)]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs, execution_count=1)])
    return HTMLExporter(template_name="lab").from_notebook_node(notebook)[0]


def picture():
    figure = new_figure()
    figure.subplots().plot([0, 1])
    return static_figure(figure, f"a line that rises {EVIL}")


def test_a_figure_has_its_description_on_the_page_and_nothing_in_it_is_executed():
    page = page_of(StaticForm("Panel", "It rises.", figures=(picture(),)))
    (image,) = BeautifulSoup(page, "html.parser").find_all("img")
    assert image["alt"] == f"a line that rises {EVIL}"


def test_text_stands_to_the_left_and_numbers_to_the_right():
    table = StaticTable("doses", pd.DataFrame({"compound": ["x"], "dose": [0.5]}))
    page = page_of(StaticForm("Panel", "One dose.", tables=(table,)))
    cells = BeautifulSoup(page, "html.parser").find_all("td")
    assert [(cell.text, cell["style"].split(";")[0]) for cell in cells] == [
        ("x", "text-align:left"),
        ("0.5", "text-align:right"),
    ]
    assert ">doses</caption>" in page


def test_short_values_stand_on_one_line_and_long_ones_may_be_broken():
    table = StaticTable(
        "plates", pd.DataFrame({"plate": ["i001-p1"], "note": ["well far from its like " * 4], "n": [1]})
    )
    page = page_of(StaticForm("Panel", "One plate.", tables=(table,)))
    is_whole = ["nowrap" in cell["style"] for cell in BeautifulSoup(page, "html.parser").find_all("td")]
    assert is_whole == [True, False, True]


def test_rows_beyond_those_that_are_shown_are_counted():
    table = StaticTable("many", pd.DataFrame({"n": range(MAX_ROWS + 7)}))
    page = page_of(StaticForm("Panel", "Many rows.", tables=(table,)))
    assert page.count("<td ") == MAX_ROWS
    assert "7 more rows are not shown." in page


def test_an_axis_of_doses_has_numbers_as_a_person_writes_them():
    axes = new_figure().subplots()
    axes.plot([0.001, 10], [0, 1])
    over_doses(axes)
    axes.figure.draw_without_rendering()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert {"0.001", "0.1", "10"} <= set(labels)
