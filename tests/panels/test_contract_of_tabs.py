"""Every panel of the control room keeps the contract that a plug-in's panel is checked by, which finds faults."""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from markupsafe import Markup
from plain_panel import PlainPanel

from cellos_nb import Lab
from cellos_nb.panels.contract import broken_promises, hostile_lab
from cellos_nb.panels.html import html_widget
from cellos_nb.panels.static import StaticForm
from cellos_nb.panels.tabs import BUILT_IN
from cellos_nb.testing import PanelContract


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory) -> Lab:
    with hostile_lab(tmp_path_factory.mktemp("contract")) as opened:
        yield opened


@pytest.fixture
def lab(shared_lab) -> Lab:
    return shared_lab


class TestEveryTab(PanelContract):
    @pytest.fixture(params=BUILT_IN, ids=lambda tab: tab.name)
    def room_tab(self, request):
        return request.param

    @pytest.fixture
    def lab(self, shared_lab):
        return shared_lab


class Silent(PlainPanel):
    def summary(self, shown):
        return "yes"


class Unescaped(PlainPanel):
    def body(self):
        return html_widget(Markup(self.campaign.config.name))

    def draw(self, shown):
        pass


class Nameless(PlainPanel):
    def body(self):
        field = super().body()
        field.description = ""
        return field


class Forgetful(PlainPanel):
    def __init__(self, lab, **options):
        super().__init__(lab, **options)
        self.choice = Dull("first")


@dataclass(frozen=True)
class Dull:
    text: str
    n: int = 0

    def __eq__(self, other):
        return False

    __hash__ = None


class Careless(PlainPanel):
    def close(self):
        self._worker.stop()


class Loud(PlainPanel):
    def read(self):
        raise OSError("no reading")


class Lively(PlainPanel):
    def static_form(self, shown):
        super().body()
        return StaticForm(self.title, "")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Silent, "says less than a sentence"),
        (Unescaped, "reaches HTML unescaped"),
        (Nameless, "a Text has no name that can be read aloud"),
        (Forgetful, "not the same after it was kept"),
        (Careless, "widgets open"),
        (Loud, "it draws with an error: OSError: no reading"),
        (Loud, "it has no static form: OSError: no reading"),
        (Lively, "in static mode it makes widgets"),
        (Lively, "neither a figure nor a table"),
        (Lively, "static form says nothing"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_promise_is_told(kind, said, lab):
    assert any(said in promise for promise in broken_promises(kind, lab))


def test_the_panel_that_the_guide_shows_keeps_the_contract_and_follows_its_choice(lab, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "panels.md").read_text(encoding="utf-8")
    code, test = (text for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "IncubatorPanel" in text)
    shown = ModuleType("incubators.panel")
    monkeypatch.setitem(sys.modules, "incubators", ModuleType("incubators"))
    monkeypatch.setitem(sys.modules, "incubators.panel", shown)
    exec(code, shown.__dict__)
    assert broken_promises(shown.IncubatorPanel, lab) == []
    with shown.IncubatorPanel(lab) as panel:
        assert panel.widget
        panel.shelves.value = 7
        assert panel.summary(panel.shown) == "1 campaigns share 7 shelves."
    names = {}
    exec(test, names)
    monkeypatch.setitem(names, "hostile_lab", lambda _: nullcontext(lab))
    names["test_my_panel_keeps_the_contract"](None)
