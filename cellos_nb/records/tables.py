"""The tables of a record, as data frames; names from users are escaped where they are shown."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import Estimate, score_conditions
from cellos_nb.domain.summary import question
from cellos_nb.errors import InputError
from cellos_nb.records.evidence import AUDIT, PLATES
from cellos_nb.records.folder import RecordedCampaign
from cellos_nb.units import format_dose


def asked(record: RecordedCampaign) -> pd.DataFrame:
    """The configuration in the words of the bench."""
    config = record.config
    low, high = config.dose_range_um
    positive = config.controls.positive
    controls = f"{config.controls.vehicle} vehicle wells for each cell line"
    if positive:
        controls += f", {positive.wells} of {positive.compound} at {format_dose(positive.dose_um)}"
    rows = {
        "question": question(config),
        "cell lines": ", ".join(config.cell_lines),
        "compounds": ", ".join(config.compound_names),
        "doses": f"{config.n_doses} from {format_dose(low)} to {format_dose(high)}, evenly spaced in log dose",
        "assay": f"{config.assay.name}, protocol {config.assay.protocol}"
        if config.assay.protocol
        else config.assay.name,
        "plate": f"{config.plate_format} wells, {config.replicates} for each experiment; {controls}",
        "batch": f"{config.batch_size} experiments in an iteration, at most {config.max_iterations} iterations",
        "planner": f"{config.planner.kind}, {config.planner.acquisition}",
        "machine": record.run.machine,
        "source of the data": record.run.data_source or "measured",
        "seed": str(config.seed),
    }
    return _labelled(rows)


def found(record: RecordedCampaign) -> pd.DataFrame:
    """The summary."""
    return _labelled(dict(record.summary.rows()))


def best_conditions(config: CampaignConfig, history: History, n: int) -> pd.DataFrame:
    """The `n` best conditions, best first, with 95 % intervals."""
    ranked = sorted(score_conditions(config, history), key=lambda condition: -condition.score.value)[:n]
    is_selective = config.objective.goal == "selectivity"
    rows = []
    for condition in ranked:
        row = {
            "compound": condition.compound,
            "dose": format_dose(condition.dose_um),
            "cell line": condition.cell_line,
            "measurement": _short(condition.measurement),
        }
        if is_selective:
            row |= {line: f"{estimate.value:.3f}" for line, estimate in condition.others}
            row["selectivity"] = _short(condition.score)
        rows.append(row | {"iteration": str(condition.iteration)})
    return pd.DataFrame(rows)


def quality(history: History) -> pd.DataFrame:
    """How many experiments ended how, and which doubts were raised."""
    counts = Counter(str(result.status) for result in history)
    flags = Counter(str(flag) for result in history for flag in result.qc_flags)
    rows = {f"experiments {status}": str(n) for status, n in sorted(counts.items())}
    rows |= {f"experiments flagged {flag}": str(n) for flag, n in sorted(flags.items())}
    return _labelled(rows)


def plates(folder: str | Path) -> pd.DataFrame:
    """The plates of a record: what became of each, and the beginning of its workflow's SHA-256."""
    frame = _read(Path(folder) / PLATES)
    digests = [digest[:16] + "…" for digest in frame["workflow_sha256"]]
    kept = frame[["iteration", "plate", "status", "wells", "proofs", "approvals", "started_at", "finished_at", "error"]]
    return _filled(kept.assign(workflow=digests))


def decisions(folder: str | Path) -> pd.DataFrame:
    """What people and faults did to a campaign: the audit without the steps and iterations that went as planned."""
    frame = _read(Path(folder) / AUDIT)
    is_routine = frame["source"].isin(["step", "iteration"]) & (frame["level"] == "INFO")
    return _filled(frame[~is_routine][["at", "level", "plate", "message"]].reset_index(drop=True))


def _read(path: Path) -> pd.DataFrame:
    """A table of a record as text.

    Raises:
        InputError: it is missing or is no table; records of the first form have none.
    """
    try:
        return pd.read_csv(path, dtype="string")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}). Write the record again with `cellos record`.") from error


def _filled(frame: pd.DataFrame) -> pd.DataFrame:
    """Empty columns left out, empty cells as a dash."""
    return frame.dropna(axis="columns", how="all").fillna("–")


def _labelled(rows: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"": list(rows.values())}, index=list(rows))


def _short(estimate: Estimate) -> str:
    interval = estimate.interval
    return f"{estimate.value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")
