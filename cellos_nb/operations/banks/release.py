"""From vials through the tests to the release of a bank; all runs at once."""

from __future__ import annotations

import numpy as np
from scipy import stats

from cellos_nb.operations.banks.inputs import tested_vials
from cellos_nb.operations.banks.outcome import Bools, Ending, Fan, StageRuns
from cellos_nb.operations.banks.stage import Culture


def test_and_release(culture: Culture, fan: Fan) -> StageRuns:
    """What the tests say of each bank that was frozen."""
    setup, chance, inputs = culture.setup, culture.chance, culture.setup.inputs
    frozen, flasks = culture.frozen, culture.flasks
    is_frozen = culture.ending == Ending.RELEASED
    post_thaw = frozen.viability * frozen.freezing
    ending = culture.ending.copy()
    is_mixed_up = chance.uniform("mixed up") < inputs.mixed_up
    # From the last to the first, so that the first reason stands.
    ending[is_frozen & (post_thaw < inputs.min_viability)] = Ending.VIABILITY
    ending[is_frozen & is_mixed_up] = Ending.IDENTITY
    is_hidden, is_tainted = _contaminations(culture)
    finds = chance.uniform("mycoplasma test") < inputs.mycoplasma_sensitivity
    ending[is_frozen & is_hidden & finds] = Ending.MYCOPLASMA
    finds = chance.uniform("sterility test") < inputs.sterility_sensitivity
    ending[is_frozen & is_tainted & ~is_hidden & finds] = Ending.STERILITY
    is_released = ending == Ending.RELEASED
    left = np.maximum(frozen.filled - tested_vials(frozen.filled, setup.parameters), 0.0)
    broken = stats.binom.ppf(chance.uniform("breakage"), left, inputs.breakage)
    vials = np.where(is_released, left - broken, 0.0)
    return StageRuns(
        name=setup.name,
        wanted=setup.stage.vials,
        ending=ending,
        vials=vials,
        filled=frozen.filled,
        cells_per_vial=frozen.live_per_vial,
        viability=frozen.viability,
        post_thaw=post_thaw,
        passage=flasks.passage,
        doublings=flasks.doublings,
        culture_days=culture.ended_on,
        days=culture.ended_on + np.where(is_frozen, inputs.qc_days, 0.0),
        hands_h=culture.books.hands_h,
        cost_usd=culture.books.cost_usd,
        grown=culture.grown,
        kept=vials * np.where(is_released, frozen.live_per_vial, 0.0),
        peak_flasks=culture.peak_flasks,
        attempts=culture.attempts,
        thawed=culture.attempts * setup.stage.thawed,
        contamination=np.where(is_frozen, culture.kind, -1),
        is_tainted=is_released & (is_tainted | is_mixed_up),
        fan=fan,
        entries=tuple(culture.entries),
    )


def _contaminations(culture: Culture) -> tuple[Bools, Bools]:
    """Which runs have a contamination that no eye sees, and which have any."""
    kinds = culture.setup.parameters.contamination.kinds
    is_hidden_kind = np.array([kind.seen_after_days is None for kind in kinds])
    is_tainted = culture.kind >= 0
    return is_tainted & is_hidden_kind[np.maximum(culture.kind, 0)], is_tainted
