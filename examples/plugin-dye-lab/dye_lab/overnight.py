"""An assay: viability after one night."""

from __future__ import annotations

from cellos_nb.domain.settings import AssaySettings

OVERNIGHT = AssaySettings.model_validate(
    {
        "name": "viability",
        "protocol": "overnight",
        "steps": [
            {"kind": "seed"},
            {"kind": "incubate", "duration_h": 4, "name": "attach"},
            {"kind": "dose"},
            {"kind": "incubate", "duration_h": 14, "name": "treat"},
            {"kind": "read"},
        ],
        "cells_per_well": 12_000,
    }
)
"""Dosed in the evening, read in the morning."""
