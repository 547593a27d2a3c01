"""What is known of compounds before a campaign: the shipped screen's lesson, or that of a lab's own history."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, model_validator

from cellos_nb.domain.history import History
from cellos_nb.domain.yaml_lines import yaml_text
from cellos_nb.errors import AnalysisError, ConfigError
from cellos_nb.planner.curves import CompoundClass, CurvePrior
from cellos_nb.planner.learning import expected_counts, learn_classes
from cellos_nb.planner.measured import MeasuredCurves
from cellos_nb.planner.remembered import NOTHING, RememberedWells

SHIPPED = "sarcoma_lee2023"
N_CLASSES = 3
"""A round number that 72 compounds can fill."""
_LEAST_WEIGHT, _MOST_WEIGHT = 4.0, 30.0
"""Compounds that an expectation counts for: before any screen, and at most, so that what is new still tells."""
_LEARNT_SHARE = 0.8
"""Share of active compounds that are expected in the learnt classes; the data of a campaign decide against it soon."""
_ENOUGH_TOLD = 36.0
"""Compounds, told of by a dilution series each, from which that share is expected; of fewer, in proportion less."""
_COLUMNS = "cell_line", "compound", "dose_um", "viability"


@dataclass(frozen=True, slots=True)
class Prior:
    """Classes of compounds, learnt from viabilities as fractions of vehicle.

    The classes know no compound or cell line by name, so they carry over to those that they never saw; what was
    measured of compounds by name is remembered where that is asked for. A planner that uses it keeps a class for
    compounds of no learnt class, and lets the data of the campaign weigh them against each other.

    >>> Prior.shipped().n_compounds
    72
    """

    inactive_share: float
    """Of compounds."""
    classes: tuple[CompoundClass, ...]
    n_compounds: int
    """That it was learnt from."""
    n_curves: int
    """Compounds on cell lines that it was learnt from."""
    source: str
    """Citation, or what the learner said."""
    n_told: float = math.inf
    """Compounds that it was learnt from, those with fewer conditions than a dilution series counted in part."""
    remembered: RememberedWells = NOTHING
    """By name, for campaigns on the same compounds."""

    @classmethod
    def shipped(cls) -> Prior:
        """Learnt from 72 drugs on 9 sarcoma cell lines.

        Source: Lee et al. 2023, doi:10.1038/s44320-023-00004-7.
        """
        return _shipped()

    @classmethod
    def learn(cls, curves: Any, source: str = "", seed: int = 0, *, by_name: bool = False) -> Prior:
        """From measured wells.

        Args:
            curves: a table with columns `cell_line`, `compound`, `dose_um` and `viability` (1.0 = untreated): a
                DataFrame or a mapping of columns; or the `History` of a campaign, or several of them.
            source: where the wells come from.
            seed: equal data and seed give an equal prior.
            by_name: also remember the wells, for campaigns that ask about the same compounds on other cell lines.

        Raises:
            AnalysisError: a column is missing, or there are fewer than five compounds.
        """
        wells = list(_wells(curves))
        measured = MeasuredCurves.of(wells)
        inactive_share, classes = expected_counts(measured.log10_range, N_CLASSES)
        found = learn_classes(measured, inactive_share, classes, _LEAST_WEIGHT, seed)
        remembered = RememberedWells.of(wells) if by_name else NOTHING
        return cls(*found, measured.n_compounds, measured.n_pairs, source, measured.n_told, remembered)

    def updated(self, history: Any, source: str = "", seed: int = 0, *, by_name: bool = False) -> Prior:
        """Sharpened by wells that came after; what is known counts for 30 compounds at most.

        Args:
            history: as for `learn`.
            source: where the wells come from; added to what stands there.
            seed: equal data and seed give an equal prior.
            by_name: also remember the new wells, beside those that are remembered already.

        Raises:
            AnalysisError: a column is missing, or there are fewer than five compounds.
        """
        wells = list(_wells(history))
        measured = MeasuredCurves.of(wells)
        weight = min(float(self.n_compounds), _MOST_WEIGHT)
        found = learn_classes(measured, self.inactive_share, self.classes, weight, seed)
        sources = "; ".join(filter(None, (self.source, source)))
        return Prior(
            *found,
            self.n_compounds + measured.n_compounds,
            self.n_curves + measured.n_pairs,
            sources,
            self.n_told + measured.n_told,
            self.remembered.and_(RememberedWells.of(wells)) if by_name else self.remembered,
        )

    @property
    def mean_ec50_um(self) -> float:
        """Geometric mean over active compounds, in µM."""
        shares = sum(one.share for one in self.classes)
        return float(10 ** (sum(one.share * one.centre[0] for one in self.classes) / shares))

    def for_curves(self) -> CurvePrior:
        """As the model takes it: the less it was learnt from, the nearer to the vague prior."""
        trust = min(self.n_told / _ENOUGH_TOLD, 1.0)
        return CurvePrior(
            inactive_share=trust * self.inactive_share + (1 - trust) * CurvePrior().inactive_share,
            classes=self.classes,
            learnt_share=trust * _LEARNT_SHARE,
        )

    def save(self, path: str | Path) -> None:
        """Writes a YAML file that `load` reads."""
        classes = [{name: _plain(getattr(one, name)) for name in _ClassFile.model_fields} for one in self.classes]
        content = {
            "source": self.source,
            "n_compounds": self.n_compounds,
            "n_curves": self.n_curves,
            **({} if math.isinf(self.n_told) else {"n_told": self.n_told}),
            "inactive_share": self.inactive_share,
            "classes": classes,
            **({"remembered": _by_name(self.remembered)} if len(self.remembered) else {}),
        }
        text = "# A prior over dose-response curves; written by cellos_nb.planner.Prior.save.\n"
        Path(path).write_text(text + yaml_text(content), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Prior:
        """Reads a file that `save` wrote.

        Raises:
            ConfigError: there is no such file, or it holds no prior.
        """
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
            return _PriorFile.model_validate(content).prior()
        except OSError as error:
            raise ConfigError(
                f"Prior.load: {path} cannot be read ({error.strerror}); give a file of Prior.save."
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
            raise ConfigError(f"Prior.load: {path} holds no prior; write it with Prior.save. {error}") from error


class _ClassFile(BaseModel):
    """One class in a file."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    share: float = Field(ge=0, le=1)
    centre: tuple[float, float, float]
    sd: tuple[float, float, float]
    line_sd: tuple[float, float, float]
    line_inactive_share: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _spread_is_positive(self) -> _ClassFile:
        if min(*self.sd, *self.line_sd) <= 0:
            raise ValueError("sd and line_sd are above 0")
        return self


class _PriorFile(BaseModel):
    """A prior in a file."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    source: str
    n_compounds: int = Field(ge=0)
    n_curves: int = Field(ge=0)
    n_told: float | None = Field(default=None, ge=0)
    """Left out of files that were written before it was counted, and of whole screens."""
    inactive_share: float = Field(gt=0, lt=1)
    classes: list[_ClassFile] = Field(min_length=1)
    remembered: dict[str, dict[str, list[tuple[PositiveFloat, float]]]] = Field(default_factory=dict)
    """By compound and cell line: dose in µM and viability as a fraction of vehicle."""

    def prior(self) -> Prior:
        classes = tuple(CompoundClass(**one.model_dump()) for one in self.classes)
        told = math.inf if self.n_told is None else self.n_told
        wells = [
            (line, compound, dose_um, viability)
            for compound, lines in self.remembered.items()
            for line, found in lines.items()
            for dose_um, viability in found
        ]
        columns = [tuple(column) for column in zip(*wells, strict=True)] or [()] * 4
        known = RememberedWells(*columns)
        return Prior(self.inactive_share, classes, self.n_compounds, self.n_curves, self.source, told, known)


def prior_named(prior: str | Path | Prior | CurvePrior) -> CurvePrior:
    """What a person calls a prior, as the model takes it.

    Args:
        prior: `default` (the shipped one), `vague` (no screen seen), a file of `Prior.save`, or a prior itself.

    Raises:
        ConfigError: there is no such prior.
    """
    if isinstance(prior, CurvePrior):
        return prior
    if isinstance(prior, Prior):
        return prior.for_curves()
    if prior == "vague":
        return CurvePrior()
    if prior == "default":
        return Prior.shipped().for_curves()
    if not Path(prior).is_file():
        raise ConfigError(
            f"prior: there is no prior {str(prior)!r}; possible: default, vague, a Prior, or a file of Prior.save."
        )
    return _from_file(prior).for_curves()


@cache
def _shipped() -> Prior:
    with resources.as_file(resources.files("cellos_nb.planner") / "parameters" / f"{SHIPPED}.yaml") as path:
        return Prior.load(path)


def _wells(curves: Any) -> Iterator[tuple[str, str, float, float]]:
    if isinstance(curves, History):
        curves = [curves]
    if isinstance(curves, list | tuple):
        results = [result for history in curves for result in history.learnable]
        results = [result for result in results if result.proposal.assay == "viability"]
        columns: list[Iterable[Any]] = [
            [result.proposal.cell_line for result in results],
            [result.proposal.compound for result in results],
            [result.proposal.dose_um for result in results],
            [result.measurement for result in results],
        ]
    else:
        missing = [name for name in _COLUMNS if name not in curves]
        if missing:
            raise AnalysisError(
                f"Prior: the table has no column {', '.join(missing)}; it needs {', '.join(_COLUMNS)} "
                "(viability as a fraction of vehicle)."
            )
        columns = [list(curves[name]) for name in _COLUMNS]
    for line, compound, dose_um, viability in zip(*columns, strict=True):
        yield str(line), str(compound), float(dose_um), float(viability)


def remembered_by(prior: str | Path | Prior | CurvePrior) -> RememberedWells:
    """The wells that a prior knows by name; arguments as those of `prior_named`, which has accepted them."""
    if isinstance(prior, Prior):
        return prior.remembered
    if isinstance(prior, CurvePrior) or prior in {"vague", "default"}:
        return NOTHING
    return _from_file(prior).remembered


def _from_file(path: str | Path) -> Prior:
    """As `Prior.load`; a file that did not change is read once."""
    standing = Path(path).stat()
    return _load(str(path), standing.st_mtime_ns, standing.st_size)


@lru_cache(maxsize=8)
def _load(path: str, _changed_ns: int, _size: int) -> Prior:
    return Prior.load(path)


def _by_name(wells: RememberedWells) -> dict[str, dict[str, list[list[float]]]]:
    found: dict[str, dict[str, list[list[float]]]] = {}
    for line, compound, dose_um, viability in zip(
        wells.cell_lines, wells.compounds, wells.doses_um, wells.responses, strict=True
    ):
        found.setdefault(compound, {}).setdefault(line, []).append([dose_um, round(viability, 6)])
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
