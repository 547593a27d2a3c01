"""Counts what crashes do to a campaign: `uv run python benchmarks/crash.py --kills 200`.

Every death is one of a real process. What is counted stands outside the store: in the ledger that the machine keeps,
and in the list of what a person was asked. The tests run the same with fewer deaths.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "execution"))

from crash_daemons import two_daemons
from crash_faults import can_mount, clock_set_back, full_disk, locked
from crash_rig import as_table, children, killed_at_every_point, killed_at_random
from crash_stops import stopped_at_points


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="deaths at random times, on each machine")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the daemons are watched and killed")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, children() as one:
        here = Path(folder)
        machines = ("shipped", "strict", "real", "interleaved")
        points = [killed_at_every_point(here / f"{name}-points", name, one) for name in ("shipped", "strict", "real")]
        print("SIGKILL at every commit and after every device call, campaigns of 1 plate\n" + as_table(points) + "\n")
        deaths = [killed_at_random(here / name, name, asked.kills, one, seed=asked.seed) for name in machines]
        print("SIGKILL at random times, campaigns of 3 plates\n" + as_table(deaths) + "\n")
        stops = [stopped_at_points(here / f"{name}-stops", name, one) for name in machines]
        print("SIGSTOP for longer than the lease, then SIGCONT, at every point\n" + as_table(stops))
        faults = [locked(here / f"{name}-locked", name, one) for name in ("strict", "real", "interleaved")]
        faults += [clock_set_back(here / f"{name}-clock", name, one) for name in ("shipped", "strict")]
        if can_mount():
            faults.append(full_disk(here / "strict-disk", "strict", one, tuple(range(100, 600, 25))))
        print("\nFaults of the surroundings, campaigns of 1 plate\n" + as_table(faults))
        watch = two_daemons(here / "daemons", asked.seconds, iterations=30, n_submissions=1000, seed=asked.seed)
        print("\nTwo daemons, the holder killed at random, 8 processes submitting each of 1,000 keys twice")
        print(as_table([watch]))
    return 0 if all(row.is_clean for row in (*points, *deaths, *stops, *faults, watch)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
