"""A process that writes so many entries into an audit log, when it is told to begin."""

from __future__ import annotations

import sys

from cellos_nb.domain.audit import Act
from cellos_nb.store.audit import note
from cellos_nb.store.store import Store

if __name__ == "__main__":
    url, name, n_entries = sys.stdin.readline().strip(), sys.argv[1], int(sys.argv[2])
    with Store.open(url, busy_timeout_s=60) as store:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        for number in range(n_entries):
            with store.write() as tx:
                note(tx, Act.JOB_CANCELLED, f"job {number}", who=name)
