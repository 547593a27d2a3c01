"""The worker: reads jobs from standard input and answers on standard output, one JSON text a line.

Runs in the private environment, under its interpreter, and so imports nothing of cellos_nb. It ends when its standard
input ends, even in the middle of a job: that is how it follows its parent, however that one died.
"""

from __future__ import annotations

import io
import json
import os
import queue
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any


def main() -> None:
    """Answers jobs until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a protocol or the package prints must not come between the answers
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    import opentrons
    from opentrons import simulate  # noqa: F401  # most of the time goes into this import, so before the first job

    _say(answers, {"ready": opentrons.__version__, "python": sys.version.split()[0]})
    while True:
        job = jobs.get()
        _say(answers, {"id": job["id"], **_answer(job)})


def _listen(jobs: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    name, text = job["name"], job["text"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        output = Path(folder) / "analysis.json"
        refusal = _analyse(path, output)
        if refusal is not None:
            return {"refusal": refusal}
        analysis = json.loads(output.read_bytes())
    if analysis["result"] != "ok" or not job["with_run_log"]:
        return {"analysis": analysis, "run_log": ""}
    return {"analysis": analysis, "run_log": _run_log(name, text)}


def _analyse(path: Path, output: Path) -> str | None:
    """Writes the analysis; says why the file is refused as a whole when it is."""
    import click
    from opentrons.cli.analyze import analyze

    try:
        analyze.main([str(path), "--json-output", str(output), "--log-level", "ERROR"], standalone_mode=False)
    except SystemExit as end:
        return None if not end.code else f"the analysis ended with exit code {end.code}"
    except click.ClickException as error:
        return error.format_message()
    return None


def _run_log(name: str, text: str) -> str:
    from opentrons import simulate

    commands, _ = simulate.simulate(io.StringIO(text), name)
    return f"{simulate.format_runlog(commands)}\n"


def _say(answers: io.TextIOBase, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
