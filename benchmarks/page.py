"""Puts what a benchmark prints onto the page: `uv run python benchmarks/page.py` lists them, `… week banks` runs two.

A section of docs/benchmarks.md says by which command its block was printed, and on which day. Here that command runs
again, and block and day are replaced by what it prints now; the words around them stay, and are for a person to read
again. Sections with several blocks are written by their own scripts (`--write`), or by hand where they say so.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
COMMAND = re.compile(r"`(uv run [^`]*?benchmarks/(?:\w+/)*(\w+)\.py[^`]*)`(?: on \d{4}-\d\d-\d\d)?")
BLOCK = re.compile(r"```\n.*?```", re.DOTALL)
HEADING = re.compile(r"^(?=#{1,2} )", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A part of the page whose one block a command prints."""

    name: str
    command: str
    text: str

    def with_printed(self, printed: str, today: dt.date) -> str:
        """The section with another block, and the day on which it was printed."""
        text = COMMAND.sub(lambda found: f"`{found[1]}` on {today}", self.text, count=1)
        return BLOCK.sub(lambda _: f"```\n{printed.strip()}\n```", text, count=1)


def sections(page: str) -> tuple[Section, ...]:
    """What can be printed again, in the order of the page."""
    found = []
    for text in HEADING.split(page):
        named = COMMAND.search(text)
        if named is not None and len(BLOCK.findall(text)) == 1 and "--write" not in named[1]:
            found.append(Section(named[2], named[1], text))
    return tuple(found)


def printed_by(command: str) -> str:
    """What a command of the page prints; what it says to standard error goes to the terminal.

    Raises:
        CalledProcessError: it failed; the page is left as it is.
    """
    words = [sys.executable, *shlex.split(command)[shlex.split(command).index("python") + 1 :]]
    return subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="scripts by name, without .py; none: list them")
    names = parser.parse_args().names
    known = {section.name: section for section in sections(PAGE.read_text(encoding="utf-8"))}
    if unknown := [name for name in names if name not in known]:
        parser.error(f"{unknown[0]}: no such section; possible: {', '.join(known)}")
    if not names:
        for section in known.values():
            print(f"{section.name:<24} {section.command}")
    for name in names:
        section = known[name]
        said = section.with_printed(printed_by(section.command), dt.datetime.now(dt.UTC).date())
        PAGE.write_text(PAGE.read_text(encoding="utf-8").replace(section.text, said), encoding="utf-8")
        print(f"{name}: written to {PAGE.relative_to(ROOT)}; read the words around it again")


if __name__ == "__main__":
    main()
