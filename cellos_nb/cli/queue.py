"""Commands that look at the queue and steer it, from any process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellos_nb.cli.options import AsJson, Database
from cellos_nb.cli.tables import print_facts, print_json, print_table

if TYPE_CHECKING:
    from cellos_nb.execution.control import FlagName
    from cellos_nb.execution.queue import Job

Reason = Annotated[str, typer.Option("--reason", help="Why, for those who look at the queue later.")]


def list_queue(
    db: Database = None,
    cancel: Annotated[
        int | None, typer.Option("--cancel", metavar="JOB", help="Cancel this job first.", show_default=False)
    ] = None,
    reason: Reason = "",
    everything: Annotated[bool, typer.Option("--all", help="Also what succeeded or was cancelled.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what waits, runs or needs a person, and who executes it."""
    from cellos_nb.cli.dispatch import who_works
    from cellos_nb.execution.process import person
    from cellos_nb.execution.queue import JobQueue, JobStatus
    from cellos_nb.lab import Lab

    over = () if everything else (JobStatus.SUCCEEDED, JobStatus.CANCELLED)
    with Lab.open(db, must_exist=True) as lab:
        work, queue = who_works(lab.store), JobQueue(lab.store)
        if cancel is not None:
            after = queue.cancel(cancel, f"cancelled by {person()}{f': {reason}' if reason else ''}")
            typer.echo(f"Job {cancel} is {after}.", err=True)
        jobs = [_row(job) for status in JobStatus if status not in over for job in queue.jobs(status)]
        counts = queue.stats()
    jobs.sort(key=lambda row: (-row["priority"], row["job"]))
    if as_json:
        print_json({**work.as_dict(), "counts": counts, "jobs": jobs})
        return
    print_facts(work.rows())
    print_table(jobs, as_json=False, empty="Nothing waits. Queue a campaign with `cellos run CAMPAIGN.yaml --submit`.")


def dead_letters(
    requeue: Annotated[
        int | None, typer.Option("--requeue", metavar="JOB", help="Try this job again.", show_default=False)
    ] = None,
    reason: Reason = "",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the jobs that were given up, with their last error, or try one again."""
    from cellos_nb.execution.queue import JobQueue
    from cellos_nb.execution.recovery import requeue as give_another_chance
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        if requeue is not None:
            give_another_chance(lab.store, requeue, reason=reason)
        rows = [_row(job) for job in JobQueue(lab.store).dead_letters()]
    if requeue is not None:
        typer.echo(f"Job {requeue} waits for its turn again.", err=True)
    print_table(rows, as_json=as_json, empty="There are no dead letters.")


def approve(  # noqa: PLR0917 — options, which are given by name
    plate: Annotated[str, typer.Argument(help="The plate, as `cellos queue` names it.", metavar="PLATE")],
    is_done: Annotated[
        bool, typer.Option("--mark-done", help="The step in question took effect; go on after it.")
    ] = False,
    is_waste: Annotated[
        bool, typer.Option("--discard", help="The plate goes into the waste; its experiments count as failed.")
    ] = False,
    n_done: Annotated[
        int | None,
        typer.Option(
            "--continue",
            metavar="N",
            min=0,
            help="The first N transfers of the step were made; make the others as a new step.",
            show_default=False,
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="How you know; kept in the audit log.")] = "",
    db: Database = None,
) -> None:
    """Decide about a plate that is held because nobody can tell whether a step took effect."""
    from cellos_nb.errors import InputError
    from cellos_nb.execution.process import person
    from cellos_nb.execution.recovery import continue_after, discard, mark_done
    from cellos_nb.lab import Lab

    if is_done + is_waste + (n_done is not None) != 1:
        raise InputError(f"{plate}: look at the plate, then give one of --mark-done, --discard and --continue N.")
    with Lab.open(db, must_exist=True) as lab:
        if is_waste:
            discard(lab.store, plate, person=person(), reason=reason)
            typer.echo(f"{plate}: discarded.")
        elif n_done is not None:
            step = continue_after(lab.store, plate, n_done, person=person(), reason=reason)
            typer.echo(f"{plate}: step {step} goes on after its transfer {n_done} when the plate's turn comes.")
        else:
            step = mark_done(lab.store, plate, person=person(), reason=reason)
            typer.echo(f"{plate}: step {step} counts as done; the plate waits for its turn.")


def pause(db: Database = None, reason: Reason = "") -> None:
    """Hold all work of this database after the step in progress; `cellos resume-queue` goes on."""
    _set("paused", db, reason)
    typer.echo("Paused. `cellos resume-queue` goes on.")


def kill(db: Database = None, reason: Reason = "") -> None:
    """End whoever executes the work of this database, after the step in progress; the rest stays queued."""
    _set("killed", db, reason)
    typer.echo("Killed. Nothing is executed until `cellos resume-queue`.")


def resume_queue(db: Database = None, reason: Reason = "") -> None:
    """Allow work again after `cellos pause` or `cellos kill`."""
    from cellos_nb.execution.control import flags_of
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab, lab.store.write():
        flags_of(lab.store).clear("paused", reason)
        flags_of(lab.store).clear("killed", reason)
    typer.echo("Work is allowed. A killed daemon is started again with `cellos daemon`.")


def _set(flag: FlagName, db: str | None, reason: str) -> None:
    from cellos_nb.execution.control import flags_of
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        flags_of(lab.store).set(flag, reason)


def _row(job: Job) -> dict[str, Any]:
    return {
        "job": job.job_id,
        "kind": job.kind,
        "what": job.what,
        "status": job.status.value,
        "priority": job.priority,
        "not_before": job.not_before.isoformat(timespec="seconds") if job.not_before else None,
        "attempts": job.attempts,
        "error": job.last_error,
    }
