"""A template's parameters are checked by name and type, all at once."""

from __future__ import annotations

import pytest

from cellos_nb.errors import ConfigError
from cellos_nb.records.parameters import Choice, check_parameters


def test_right_parameters_pass_beside_what_a_notebook_holds():
    namespace = {"folder": "x", "n": 3, "rate": 1, "_hidden": 5, "In": [], "pytest": pytest}
    check_parameters(namespace, folder=str, n=int, rate=float)


def test_all_problems_are_named_together():
    with pytest.raises(ConfigError) as caught:
        check_parameters({"folder": 5, "n": True, "folde": "x"}, folder=str, n=int)
    assert str(caught.value).splitlines() == [
        "folder: 5 is int; give str.",
        "n: True is bool; give int.",
        "folde: unknown parameter; possible: folder, n.",
    ]


def test_a_choice_names_what_is_possible_beside_all_other_problems():
    check_parameters({"figure_format": "png"}, figure_format=Choice("png", "svg"))
    with pytest.raises(ConfigError) as caught:
        check_parameters({"figure_format": "gif", "n": "2"}, figure_format=Choice("png", "svg"), n=int)
    assert str(caught.value).splitlines() == [
        "figure_format: 'gif' is not possible; choose 'png', 'svg'.",
        "n: '2' is str; give int.",
    ]
