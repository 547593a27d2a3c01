"""What a robot's server keeps: protocols and runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

IDLE, RUNNING, PAUSED = "idle", "running", "paused"
STOPPED, SUCCEEDED, FAILED = "stopped", "succeeded", "failed"


@dataclass(slots=True)
class Protocol:
    """One uploaded file."""

    protocol_id: str
    name: str
    text: str
    analysis_id: str
    analysis: dict[str, Any] | None = None
    """None while it is at it."""

    def to_json(self) -> dict[str, Any]:
        """As the server says it."""
        status = "pending" if self.analysis is None else "completed"
        summary = {"id": self.analysis_id, "status": status}
        return {"id": self.protocol_id, "files": [{"name": self.name, "role": "main"}], "analysisSummaries": [summary]}


@dataclass(slots=True)
class Run:
    """One run."""

    run_id: str
    protocol: Protocol
    labware_offsets: list[dict[str, Any]]
    status: str = IDLE
    is_whole: bool = True
    actions: list[dict[str, Any]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self, *, is_current: bool) -> dict[str, Any]:
        """As the server says it."""
        said: dict[str, Any] = {
            "id": self.run_id,
            "ok": self.is_whole,
            "status": self.status,
            "current": is_current,
            "actions": self.actions,
            "errors": self.errors,
            "protocolId": self.protocol.protocol_id,
            "labwareOffsets": self.labware_offsets,
        }
        if not self.is_whole:
            said["dataError"] = {"id": "RunDataError", "detail": "There was no engine state data.", "errorCode": "4008"}
        return said
