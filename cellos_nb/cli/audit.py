"""Commands for the audit log: who decided what, when and why, and whether the log is still what was written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellos_nb.cli.options import AsJson, Database
from cellos_nb.cli.tables import print_facts, print_json, print_table
from cellos_nb.errors import InputError

if TYPE_CHECKING:
    from cellos_nb.domain.audit import AuditEntry

app = typer.Typer(
    no_args_is_help=True,
    help="Who decided what, when and why; and whether the log is still what was written.",
    rich_markup_mode=None,
)

Kind = Annotated[str, typer.Option("--kind", help="Only acts of this kind, or that begin so, as `approval`.")]
Who = Annotated[str, typer.Option("--who", help="Only what this person, account or software did.")]
About = Annotated[
    str, typer.Option("--about", help="Only about this campaign with its plates, plate, resource, or `queue`.")
]
Since = Annotated[str | None, typer.Option("--since", help="From this UTC day or moment on.", show_default=False)]
Until = Annotated[str | None, typer.Option("--until", help="Before this UTC day or moment.", show_default=False)]
LONGEST = 60


@app.command("list")
def list_entries(  # noqa: PLR0917 — options, which are given by name
    kind: Kind = "",
    who: Who = "",
    about: About = "",
    since: Since = None,
    until: Until = None,
    last: Annotated[int, typer.Option("--last", min=1, help="So many at most, the newest.")] = 50,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List what people and the software decided, the newest last."""
    from cellos_nb.lab import Lab
    from cellos_nb.store.audit import Wanted, entries

    wanted = Wanted(kind, who, about, _moment("--since", since), _moment("--until", until), last)
    with Lab.open(db, must_exist=True) as lab, lab.store.read() as tx:
        found = entries(tx, wanted)
    if as_json:
        print_json([_as_dict(each) for each in found])
        return
    print_table([_row(each) for each in found], as_json=False, empty="The audit log has nothing like that.")


@app.command()
def show(
    number: Annotated[
        int, typer.Argument(help="The entry, as `cellos audit list` numbers it.", metavar="ENTRY", min=1)
    ],
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show one entry whole, with its facts and hashes."""
    from cellos_nb.lab import Lab
    from cellos_nb.store.audit import chain

    with Lab.open(db, must_exist=True) as lab, lab.store.read() as tx:
        entry = next(chain(tx, after=number - 1), None)
        where = lab.store.where
    if entry is None or entry.seq != number:
        raise InputError(f"{where}: the audit log has no entry {number}. `cellos audit list` shows the last ones.")
    if as_json:
        print_json(_as_dict(entry))
        return
    values = _as_dict(entry)
    facts = values.pop("facts")
    print_facts([(key, str(value)) for key, value in values.items() if value != ""])
    typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))


@app.command()
def verify(
    noted: Annotated[
        str | None,
        typer.Option("--head", help="A hash that `cellos audit head` printed earlier: finds what was cut off since.",
                     metavar="SHA256", show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Check this export, or the audit_log.jsonl of a record, in place of the database.",
                     show_default=False),
    ] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Look at every entry again, and name those that were changed, removed, moved or put in.

    Exit code 1 when any was.
    """
    from cellos_nb.lab import Lab
    from cellos_nb.records.audit_file import verify_file
    from cellos_nb.store import audit

    noted = None if noted is None else _hash(noted)
    if file is not None:
        found, where = verify_file(file, noted), str(file)
    else:
        with Lab.open(db, must_exist=True) as lab, lab.store.read() as tx:
            found, where = audit.verify(tx, noted), lab.store.where
    problems: list[dict[str, Any]] = [
        {"entry": each.seq, "problem": each.what, "what": each.text} for each in found.breaks
    ]
    if found.is_noted_lost:
        said = f"no entry has the hash {noted}: what there was when it was noted was cut off or written anew"
        problems.append({"entry": None, "problem": "lost", "what": said})
    if as_json:
        print_json({"entries": found.n_entries, "head": found.head, "noted_at": found.noted_at, "problems": problems})
    else:
        since = f", {found.n_entries - found.noted_at} since the noted one" if found.noted_at is not None else ""
        whole = f"{where}: all {found.n_entries} entries are as they were written{since}. Head: {found.head}"
        print_table(problems, as_json=False, empty=whole)
    if not found.is_whole:
        raise typer.Exit(1)


@app.command()
def head(db: Database = None, as_json: AsJson = False) -> None:
    """Print the hash of the last entry, to be noted where nobody who can change the database can change it too."""
    from cellos_nb.lab import Lab
    from cellos_nb.store.audit import last_link

    with Lab.open(db, must_exist=True) as lab, lab.store.read() as tx:
        last = last_link(tx)
    if last is None:
        raise InputError("The audit log has no entry yet, so there is nothing to note.")
    if as_json:
        print_json({"entry": last.seq, "head": last.sha256})
        return
    typer.echo(last.sha256)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The file, one JSON object a line; `-` prints them.", metavar="FILE")],
    about: About = "",
    db: Database = None,
) -> None:
    """Write the log into a file that `cellos audit verify --file` checks.

    With --about, of other entries only number and hash, which hold the chain together.
    """
    import sys

    from cellos_nb.lab import Lab
    from cellos_nb.records.atomic import new_file
    from cellos_nb.records.audit_file import lines_of
    from cellos_nb.store import audit

    with Lab.open(db, must_exist=True) as lab, lab.store.read() as tx:
        text = lines_of(audit.extract(tx, about) if about else audit.chain(tx))
    if not text:
        raise InputError(f"The audit log has nothing about {about or 'anything'}; nothing was written.")
    if file == Path("-"):
        sys.stdout.write(text)
        return
    with new_file(file) as partial:
        partial.write_text(text, encoding="utf-8", newline="")
    typer.echo(f"wrote {file}", err=True)


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{option}: {text!r} is no moment; write it as 2026-03-04 or '2026-03-04 09:40'.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _hash(text: str) -> str:
    given = text.strip().lower()
    if len(given) != 64 or set(given) - set("0123456789abcdef"):
        raise InputError("--head: give the 64 hex digits that `cellos audit head` printed.")
    return given


def _row(entry: AuditEntry) -> dict[str, Any]:
    why = entry.why if len(entry.why) <= LONGEST else f"{entry.why[:LONGEST]}…"
    at = f"{entry.at[:19].replace('T', ' ')}"
    return {"entry": entry.seq, "at (UTC)": at, "who": entry.who, "act": entry.kind, "about": entry.subject, "why": why}


def _as_dict(entry: AuditEntry) -> dict[str, Any]:
    return {
        "entry": entry.seq,
        "at": entry.at,
        "who": entry.who,
        "account": entry.account,
        "kind": entry.kind,
        "about": entry.subject,
        "why": entry.why,
        "previous": entry.previous,
        "sha256": entry.sha256,
        "facts": entry.facts,
    }
