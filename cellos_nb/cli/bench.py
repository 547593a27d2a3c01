"""Commands of the bench: what a person is asked to do next, and their answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellos_nb.cli.options import AsJson, Database
from cellos_nb.cli.tables import print_table

if TYPE_CHECKING:
    from cellos_nb.hardware.bench.book import Task
    from cellos_nb.lab import Lab

app = typer.Typer(help="What people at the bench are asked to do next, and their answers.", invoke_without_command=True)

Number = Annotated[int, typer.Argument(help="The task, as `cellos bench` numbers it.", metavar="TASK")]
Bench = Annotated[str | None, typer.Option("--bench", help="Which bench, where there are several.", show_default=False)]
Person = Annotated[
    str | None, typer.Option("--person", help="Who did it. Default: who is logged in.", show_default=False)
]
Out = Annotated[Path, typer.Option("--out", help="Folder that the files are written into.")]


@app.callback()
def list_tasks(context: typer.Context, db: Database = None, as_json: AsJson = False) -> None:
    """List what waits for a person at the bench."""
    if context.invoked_subcommand is not None:
        return
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        rows = [
            {
                "task": task.number,
                "bench": name,
                "plate": task.step.plate_id,
                "barcode": desk.book.barcode_of(task.step.plate_id),
                "step": task.step.uid,
                "asked": f"{task.asked_at:%Y-%m-%d %H:%M} UTC",
                "what": _what(task),
            }
            for name, desk in lab.handwork.desks().items()
            for task in desk.open_tasks()
        ]
    print_table(rows, as_json=as_json, empty="nothing waits for a person")


@app.command()
def show(number: Number, out: Out = Path("bench"), bench: Bench = None, db: Database = None) -> None:
    """Write what a task asks for: a page to print, and its worklists."""
    from cellos_nb.hardware.bench.book import TaskState
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        desk = lab.handwork.desk(bench)
        task = desk.book.numbered(number)
        files = {f"{task.step.uid}.html": desk.page(task), **desk.worklists(task)}
    folder = out / task.step.plate_id.replace("/", "_")
    for name, text in files.items():
        _write(folder / name, text.encode())
    if task.state is not TaskState.OPEN:
        typer.echo(f"task {number} was answered: {task.state} by {task.person}", err=True)


@app.command()
def done(  # noqa: PLR0917 — options, which are given by name
    number: Number,
    person: Person = None,
    barcode: Annotated[str | None, typer.Option("--barcode", help="Barcode on the plate.", show_default=False)] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="The plate reader's file, for a reading.", show_default=False)
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", help="Wells left out, or not to count: B4,B5.", show_default=False)
    ] = None,
    volume: Annotated[
        list[str] | None,
        typer.Option("--volume", help="What a well got instead, in µL: B4=1.5, or cells>B4=40.", show_default=False),
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Kept with the step.")] = "",
    bench: Bench = None,
    db: Database = None,
) -> None:
    """Say that a task is done. Everything is checked first; a file that is refused is kept all the same."""
    from cellos_nb.execution.process import person as logged_in
    from cellos_nb.hardware.bench.changes import read_changes
    from cellos_nb.hardware.bench.desk import Answer, ReaderFile
    from cellos_nb.lab import Lab

    changes = read_changes(skip or (), volume or ())
    brought = ReaderFile.at(file) if file is not None else None
    answer = Answer(person or logged_in(), barcode, note, changes, brought)
    with Lab.open(db, must_exist=True) as lab:
        work = lab.handwork
        desk = work.desk(bench)
        task = work.done(desk, number, answer)
        altered = desk.altered(task.step.plate_id)
        _say_next(lab, task)
    for well, what in altered.items():
        typer.echo(f"  {well} does not count: {what}")


@app.command()
def fail(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="What went wrong.")],
    person: Person = None,
    bench: Bench = None,
    db: Database = None,
) -> None:
    """Say that a task could not be done, or went wrong. Whoever decides about the plate reads the reason."""
    from cellos_nb.execution.process import person as logged_in
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        work = lab.handwork
        task = work.failed(work.desk(bench), number, person=person or logged_in(), reason=reason)
        _say_next(lab, task)


@app.command()
def protocol(
    plate: Annotated[str, typer.Argument(help="A plate that was submitted.", metavar="PLATE")],
    out: Out = Path("bench"),
    bench: Bench = None,
    db: Database = None,
) -> None:
    """Write the whole protocol of a plate as one page to print, and the worklists of all its steps."""
    from cellos_nb.execution.runs import load_workflow, run_of_plate
    from cellos_nb.hardware.bench.protocol import protocol_page
    from cellos_nb.hardware.bench.worklists import worklist_name, write_worklist
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        settings = lab.handwork.desk(bench).bench
        workflow = load_workflow(lab.store, run_of_plate(lab.store, plate).run_id)
    page = protocol_page(plate, workflow.steps, settings, quiet=f"workflow SHA-256 {workflow.sha256}")
    liquid = [step for step in workflow.steps if step.transfers is not None]
    lists = {worklist_name(step, form): write_worklist(step, form) for step in liquid for form in settings.worklists}
    folder = out / plate.replace("/", "_")
    for name, text in {"protocol.html": page, **lists}.items():
        _write(folder / name, text.encode())


@app.command()
def files(
    get: Annotated[
        str | None,
        typer.Option("--get", help="Write the file with this SHA-256, or its beginning.", show_default=False),
    ] = None,
    out: Out = Path("bench"),
    bench: Bench = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the readers' files that were brought, taken or refused; all are kept."""
    from cellos_nb.errors import InputError
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        book = lab.handwork.desk(bench).book
        brought = book.files()
        if get is not None:
            found = next((file for file in brought if file.sha256.startswith(get)), None)
            if found is None:
                raise InputError(f"{get}: nobody brought such a file. List them with `cellos bench files`.")
            _write(out / found.name, book.content_of(found.sha256))
            return
    rows = [
        {
            "file": file.name,
            "sha256": file.sha256 if as_json else file.sha256[:12],
            "for": file.token,
            "by": file.person,
            "at": f"{file.brought_at:%Y-%m-%d %H:%M} UTC",
            "taken": "yes" if file.refusal is None else f"no: {file.refusal.splitlines()[0]}",
        }
        for file in brought
    ]
    print_table(rows, as_json=as_json, empty="nobody brought a file yet")


def _write(path: Path, content: bytes) -> None:
    from cellos_nb.records.atomic import new_file

    with new_file(path) as file:
        file.write_bytes(content)
    typer.echo(f"wrote {path}")


def _what(task: Task) -> str:
    from cellos_nb.workflow.overview import describe_step

    return describe_step(task.step)


def _say_next(lab: Lab, task: Task) -> None:
    from cellos_nb.execution.lease import holder_of

    typer.echo(f"{task.step.plate_id}: step {task.step.uid} is {task.state}, by {task.person}")
    if holder_of(lab.store) is None:
        typer.echo("nobody executes this database now; `cellos daemon` goes on with the plate", err=True)
