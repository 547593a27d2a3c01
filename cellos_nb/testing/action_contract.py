"""What every action promises: it says beforehand what it refuses, and bears being repeated."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cellos_nb.errors import InputError
from cellos_nb.execution.actions import Bench, action_of, kinds, perform_now, submit_action
from cellos_nb.execution.daemon import Daemon
from cellos_nb.execution.jobs import JobStatus
from cellos_nb.execution.queue import JobQueue
from cellos_nb.lab import Lab


class ActionContract:
    """Inherit it, and give the kind with a payload that it performs, and payloads that it must refuse.

    class TestMine(ActionContract):
        kind = "label"
        payload = {"text": "plate 7"}
        refused = ({}, {"text": 5})
    """

    kind: ClassVar[str]
    """The name of its entry point."""
    payload: ClassVar[Mapping[str, Any]]
    """One that it performs; as JSON has it."""
    refused: ClassVar[tuple[Mapping[str, Any], ...]]
    """Payloads that can never be performed; at least one."""

    @pytest.fixture
    def lab(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
        """An empty lab in a folder of its own, which is the working folder too."""
        monkeypatch.chdir(tmp_path)
        with Lab.open(tmp_path / "lab.db") as opened:
            self.prepare(opened)
            yield opened

    def prepare(self, lab: Lab) -> None:
        """Puts into the lab what the payload speaks of; nothing unless it is overridden."""

    @pytest.fixture
    def asked(self) -> dict[str, Any]:
        """The payload, as an action is given it."""
        return copy.deepcopy(dict(self.payload))

    def test_it_is_known_by_its_name(self) -> None:
        assert self.kind in kinds()

    def test_it_says_after_how_long_it_counts_as_failed(self) -> None:
        limit_s = action_of(self.kind).limit_s
        assert math.isfinite(limit_s)
        assert limit_s > 0

    def test_a_payload_is_accepted_and_left_as_it_was(self, asked: dict[str, Any]) -> None:
        assert json.loads(json.dumps(asked)) == asked, "a payload is stored as JSON, and must come back the same"
        action_of(self.kind).check(asked)
        assert asked == self.payload

    def test_what_it_can_never_do_is_refused_before_it_is_queued(self, lab: Lab) -> None:
        assert self.refused, "name a payload that it refuses"
        for number, payload in enumerate(self.refused):
            with pytest.raises(InputError, match=r"\S+ \S+"):
                submit_action(lab.store, self.kind, dict(payload), idempotency_key=f"refused {number}")
        assert [job for job in JobQueue(lab.store).jobs() if job.kind == self.kind] == []

    def test_in_proof_it_says_what_it_would_do_and_bears_being_repeated(self, lab: Lab, asked: dict[str, Any]) -> None:
        bench = Bench(lab.store, lab, is_real=False)
        for said in (perform_now(self.kind, asked, bench), perform_now(self.kind, asked, bench)):
            assert isinstance(said, str)
            assert said.strip()
        assert asked == self.payload

    def test_the_daemon_carries_it_out_once_for_each_key(self, lab: Lab, asked: dict[str, Any]) -> None:
        number = submit_action(lab.store, self.kind, asked, idempotency_key="once")
        assert submit_action(lab.store, self.kind, asked, idempotency_key="once") == number
        Daemon(lab.store, lab).run(until_idle=True)
        assert JobQueue(lab.store).status(number) is JobStatus.SUCCEEDED
