"""The smallest panel there is, to test what all panels have in common."""

from __future__ import annotations

from dataclasses import dataclass

from cellos_nb.panels.frame import Panel
from cellos_nb.panels.static import StaticForm


@dataclass(frozen=True, slots=True)
class Wanted:
    text: str = "first"


class PlainPanel(Panel[Wanted, str]):
    title = "Plain"

    def __init__(self, lab, **options) -> None:
        super().__init__(lab, Wanted(), **options)
        self.campaign = self.source.campaign(None)
        self.n_read = 0
        self.news = 0
        self.failure: Exception | None = None

    def subtitle(self) -> str:
        return self.campaign.config.name

    def stamp(self):
        return self.news

    def read(self) -> str:
        self.n_read += 1
        if self.failure is not None:
            raise self.failure
        return self.choice.text

    def body(self):
        from ipywidgets import Text

        self.field = Text(description="text")
        self.field.observe(lambda change: self.choose(text=change.new), "value")
        return self.field

    def draw(self, shown: str) -> None:
        self.field.value = shown

    def summary(self, shown: str) -> str:
        return f"It says {shown}."

    def static_form(self, shown: str) -> StaticForm:
        return StaticForm(self.title, self.summary(shown))
