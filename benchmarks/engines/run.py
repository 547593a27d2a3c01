"""Prints, in one run, how this project's executor compares to engines from the shelf.

`uv run python benchmarks/engines/run.py` measures and prints; `--page docs/benchmarks.md` also puts the result into
that page. Every engine runs five steps a run, each round in a process and a database of its own; the settings take
turns, so that a slow moment of the machine hits all of them. The other engines live in environments that uv makes for
the occasion: they are no dependency of the project. Databases lie in a temporary folder: set TMPDIR to measure another
disk.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from durable_server import DurableServer

HERE = Path(__file__).parent
BEGIN, END = "<!-- engines: begin -->", "<!-- engines: end -->"
DBOS = ("dbos==3.4.0",)
PREFECT = ("prefect==3.8.8", "fastapi<0.150")  # its server does not start with a newer one


@dataclass(frozen=True, slots=True)
class Setting:
    """One engine in one way of keeping what it knows."""

    name: str
    script: str
    setting: str
    n_runs: int
    n_single: int
    packages: tuple[str, ...] = ()
    """Empty: runs in the project's own environment."""
    on_server: bool = False
    extra: tuple[str, ...] = ()

    def command(self, folder: Path, url: str | None) -> list[str]:
        """What measures it once."""
        python = [sys.executable]
        if self.packages:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            wanted = [part for package in self.packages for part in ("--with", package)]
            python = ["uv", "run", "--quiet", "--isolated", "--no-project", "--python", version, *wanted, "python"]
        measured = ["--setting", self.setting, "--folder", str(folder), *self.extra]
        amount = ["--runs", str(self.n_runs), "--single", str(self.n_single)]
        return [*python, str(HERE / self.script), *measured, *amount, *(["--url", url] if url else [])]


IN_ONE = ("--in-one",)
VIRTUAL = ("--machine", "virtual")
BEST_SHELF = "DBOS, SQLite WAL, NORMAL"
SETTINGS = (
    Setting("DBOS, SQLite as shipped (FULL)", "dbos_engine.py", "shipped", 60, 20, DBOS),
    Setting(BEST_SHELF, "dbos_engine.py", "wal", 150, 40, DBOS),
    Setting("DBOS, PostgreSQL", "dbos_engine.py", "url", 100, 40, (*DBOS, "psycopg[binary]"), on_server=True),
    Setting("Prefect, ephemeral server (SQLite)", "prefect_engine.py", "shipped", 12, 6, PREFECT),
    Setting("cellos_nb, SQLite FULL, grouped, one batch", "ours.py", "grouped", 1500, 40, extra=IN_ONE),
    Setting("  the same, virtual machine, grouped", "ours.py", "grouped", 800, 40, extra=(*IN_ONE, *VIRTUAL)),
    Setting("cellos_nb, SQLite FULL, grouped", "ours.py", "grouped", 400, 40),
    Setting("cellos_nb, SQLite NORMAL, grouped (shipped)", "ours.py", "grouped_as_shipped", 800, 40),
    Setting("cellos_nb, SQLite FULL, intent before each step", "ours.py", "strict", 300, 40),
    Setting("  the same, 16 robots, one batch", "ours.py", "strict", 400, 40, extra=(*IN_ONE, "--robots", "16")),
    Setting("  the same, virtual machine, each intent", "ours.py", "strict", 100, 40, extra=VIRTUAL),
    Setting("cellos_nb, PostgreSQL, grouped, one batch", "ours.py", "grouped", 800, 40, on_server=True, extra=IN_ONE),
    Setting("cellos_nb, PostgreSQL, intent before each step", "ours.py", "strict", 100, 40, on_server=True),
)


class NotMeasuredError(Exception):
    """An engine did not install or ended with an error."""


def environment(folder: Path) -> dict[str, str]:
    """Reports to nobody, and leaves nothing outside the folder."""
    silent = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_HOME": str(folder),
        "PREFECT_PROFILES_PATH": str(folder / "profiles.toml"),
        "PREFECT_SERVER_MEMO_STORE_PATH": str(folder / "memo_store.toml"),
    }
    return os.environ | silent | {"OMP_NUM_THREADS": "1"}


def measure(command: list[str], folder: Path) -> dict:
    """The last line that the command prints, which is JSON."""
    done = subprocess.run(command, env=environment(folder), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasuredError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def rounds(n_rounds: int, server: DurableServer) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for k in range(n_rounds):
        for setting in SETTINGS:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                url = server.empty() if setting.on_server else None
                try:
                    answer = measure(setting.command(Path(folder), url), Path(folder))
                except NotMeasuredError as error:
                    if not setting.packages:
                        raise
                    # An engine from the shelf that does not install here leaves the others to compare with.
                    print(f"round {k + 1}: {setting.name}: not measured\n{error}", file=sys.stderr)
                    continue
            found[setting.name].append(answer)
            speed, single = answer["runs_per_s"], statistics.median(answer["single_s"])
            print(f"round {k + 1}: {setting.name}: {figure(speed)} runs/s, {ms(single)}", file=sys.stderr)
    return found


def speed_table(found: dict[str, list[dict]]) -> list[tuple[str, ...]]:
    reference = statistics.median(answer["runs_per_s"] for answer in found[BEST_SHELF])
    rows = [("engine, setting", "runs/s", "min – max", "beside DBOS's best", "CPU", "p50", "p95")]
    for name, answers in found.items():
        speeds = [answer["runs_per_s"] for answer in answers]
        middle = statistics.median(speeds)
        cpu = statistics.median(answer["cpu_s"] for answer in answers)
        p50 = statistics.median(statistics.median(answer["single_s"]) for answer in answers)
        p95 = statistics.median(statistics.quantiles(answer["single_s"], n=20)[-1] for answer in answers)
        spread = f"{figure(min(speeds))} – {figure(max(speeds))}"
        rows.append((name, figure(middle), spread, f"{middle / reference:.2g} ×", ms(cpu), ms(p50), ms(p95)))
    return rows


def claim_table(n_rounds: int, server: DurableServer) -> list[tuple[str, ...]]:
    rows = [("claim with so many queued", "100", "10,000", "100,000", "ratio")]
    for engine in ("SQLite", "PostgreSQL"):
        answers = []
        for _ in range(n_rounds):
            with tempfile.TemporaryDirectory() as folder:
                url = ["--url", server.empty()] if engine == "PostgreSQL" else []
                command = [sys.executable, str(HERE / "ours.py"), "--setting", "grouped", "--claims"]
                answers.append(measure([*command, "--folder", folder, *url], Path(folder)))
        for suffix, what in (("", "all due"), (" later", "9 of 10 for tomorrow, with higher priority")):
            middle = [statistics.median(answer[f"{n}{suffix}"] for answer in answers) for n in (100, 10_000, 100_000)]
            rows.append((f"{engine}, {what}", *(ms(seconds) for seconds in middle), f"{middle[2] / middle[0]:.2g} ×"))
    return rows


def text_of(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"


def section(table: str, n_rounds: int) -> str:
    """The page's text around the table: what was measured, with what settings."""
    today = dt.datetime.now(dt.UTC).date()
    what = (
        f"Printed by `uv run python benchmarks/engines/run.py --rounds {n_rounds}` on {today}, on a shared machine: "
        'read the ratios. Five steps a run. "Runs/s": many submitted together, from the first submission to the last '
        'result; "CPU": of all threads, for each of them; "p50" and "p95": one at a time, from submission to result. '
        "Medians over rounds in which the settings "
        f'take turns. "DBOS\'s best" is `{BEST_SHELF}`, which a power cut may cost its last moment.'
    )
    settings = (
        "Settings of ours: SQLite in WAL mode with `synchronous=FULL`, except where it says NORMAL; PostgreSQL with "
        '`fsync=on` and `synchronous_commit=on`, on a socket. "Grouped": a simulated machine with its own ledger, '
        'whose journal entries share commits (decision note 3). "Intent before each step": a machine that counts as '
        "real, an approval for each workflow, every intent on the disk before its step; what a step did is stored with "
        'the next intents, of other plates and robots too. "One batch": submitted in one transaction, as '
        "`execute_batch` does. One machine has one liquid handler, for which its plates wait twice in a run; 16 equal "
        "robots keep 16 plates moving, and the other engines, which know no devices, start all of their runs at once. "
        "Steps do nothing, as those of the other engines, except on the virtual machine, which tracks every well. DBOS "
        "runs on its own threads and not through its queue, which would wait for a poll; Prefect on 4 threads against "
        "its ephemeral server."
    )
    title = "## Beside engines from the shelf"
    return "\n\n".join((BEGIN, title, what, settings, f"```\n{table}\n```", END))


def put(page: Path, text: str) -> None:
    """Replaces the section of the page, or adds it at its end."""
    old = page.read_text(encoding="utf-8")
    if BEGIN in old:
        new = old[: old.index(BEGIN)] + text + old[old.index(END) + len(END) :]
    else:
        new = f"{old.rstrip()}\n\n{text}\n"
    page.write_text(new, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", type=Path, help="the page to put the result into")
    args = parser.parse_args()
    server = DurableServer()
    server.start()
    try:
        tables = [speed_table(rounds(args.rounds, server)), claim_table(args.rounds, server)]
    finally:
        server.stop()
    where = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores"
    packages = ", ".join((*DBOS, PREFECT[0]))
    table = f"{where}, {packages}, {args.rounds} rounds\n\n" + "\n\n".join(map(text_of, tables))
    print(table)
    if args.page:
        put(args.page, section(table, args.rounds))


if __name__ == "__main__":
    main()
