"""Serves processes that run `cellos daemon`, and others that submit work, each forked in milliseconds.

One JSON object a line: `{"daemon": database, "log": file}` and `{"submit": [first, last], …}` answer a process number,
`{"wait": number}` how that process ended.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

# Imported here, once for all processes.
import cellos_nb.lab
import cellos_nb.loop
import cellos_nb.planner.registry
import cellos_nb.workflow.compile
from cellos_nb.cli import main
from cellos_nb.execution import daemon as daemon_module
from cellos_nb.execution.actions import submit_action
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

assert cellos_nb.lab.Lab
ONE_IN = 25
"""Of the actions submitted, so many fall due at once, and the others tomorrow."""


def _daemon(database: str, log: str) -> None:
    daemon_module.LOOK_S = 0.02
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["cellos", "daemon", "--db", database]
    main()


def _submit(database: str, first: int, last: int, answers: str) -> None:
    numbers = {}
    tomorrow = now_utc() + timedelta(days=1)
    with Store.open(database, busy_timeout_s=60.0) as store:
        for k in range(first, last):
            key, due = f"note {k}", None if k % ONE_IN == 0 else tomorrow
            numbers[key] = submit_action(store, "notify", {"title": key}, idempotency_key=key, not_before=due)
    Path(answers).write_text(json.dumps(numbers))


def _fork(call: Callable[..., None], *arguments: object) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            call(*arguments)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:  # noqa: BLE001 — it must not go on as a second server
            traceback.print_exc()
        os._exit(code)
    return pid


def serve() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        if "daemon" in asked:
            answer = _fork(_daemon, asked["daemon"], asked["log"])
        elif "submit" in asked:
            answer = _fork(_submit, asked["database"], *asked["submit"], asked["answers"])
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
