"""Message: what people are told, with one text form to hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cellos_nb.domain.codec import UNKNOWN_KEYS_ARE_REFUSED
from cellos_nb.errors import MessageError

LONGEST_TITLE = 200
"""Characters; mail programs and chats cut longer ones."""
MOST_LINES = 20
"""How many messages of a group are told one by one."""


class Level(StrEnum):
    """How urgent a message is, from the least to the most."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to people.

    >>> Message("demo-p3 is held", "Step 3-dose is in doubt.", Level.WARNING, key="plates held").title
    'demo-p3 is held'

    Raises:
        MessageError: the title is empty, too long or of several lines, or the key is of several lines.
    """

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    title: str
    """One line that says what happened."""
    body: str = ""
    """What it means and what to do; plain text, any number of lines."""
    level: Level = Level.INFO
    key: str = ""
    """What several of its kind are called, e.g. `plates held`: they are grouped. Empty: it always stands alone."""

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise MessageError("A message needs a title: one line that says what happened.")
        if len(self.title) > LONGEST_TITLE:
            raise MessageError(
                f"The title {self.title[:40]!r}… has {len(self.title)} characters; {LONGEST_TITLE} are possible. "
                "Put the rest into the body."
            )
        for field, text in (("title", self.title), ("key", self.key)):
            if not text.isprintable():
                raise MessageError(f"The {field} {text!r} must be one line of plain text. Put the rest into the body.")

    def canonical_text(self) -> str:
        """The one text of a message, for people and for hashing: the same message gives the same bytes in UTF-8."""
        key = f"key: {self.key}\n" if self.key else ""
        body = "\n".join(line.rstrip() for line in self.body.splitlines()).strip("\n")
        return f"level: {self.level.value}\n{key}title: {self.title.strip()}\n\n{body}\n"

    @property
    def sha256(self) -> str:
        """The hash of the canonical text in UTF-8."""
        return hashlib.sha256(self.canonical_text().encode()).hexdigest()


def grouped(messages: Sequence[Message], name: str) -> Message:
    """Several messages as one, as urgent as the most urgent of them; a single one stays as it is.

    >>> print(grouped([Message("p1 is held"), Message("p2 is held")], "plates held").canonical_text())
    level: info
    key: plates held
    title: 2 plates held: p1 is held; p2 is held
    <BLANKLINE>
    - p1 is held
    - p2 is held
    <BLANKLINE>
    """
    if len(messages) == 1:
        return messages[0]
    told = messages[:MOST_LINES]
    lines = [f"- {one.title}{': ' + ' '.join(one.body.split()) if one.body.strip() else ''}" for one in told]
    if len(messages) > len(told):
        lines.append(f"… and {len(messages) - len(told)} more.")
    title = f"{len(messages)} {name}: {'; '.join(one.title for one in told)}"
    if len(title) > LONGEST_TITLE:
        title = title[: LONGEST_TITLE - 1] + "…"
    urgency = list(Level)
    level = max((one.level for one in messages), key=urgency.index)
    return Message(title, "\n".join(lines), level, name)
