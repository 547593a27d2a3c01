"""A process that takes the lease of a database, says so, and keeps it until its input ends."""

import sys

from cellos_nb.execution.lease import lease_of
from cellos_nb.store.store import Store

with Store.open(sys.argv[1]) as store, lease_of(store).held() as fencing:
    sys.stdout.write(f"{fencing}\n")
    sys.stdout.flush()
    sys.stdin.read()
