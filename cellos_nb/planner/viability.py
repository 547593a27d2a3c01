"""Where cells are expected to live, learnt from the viabilities among the results."""

from __future__ import annotations

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import Array, CurvePrior
from cellos_nb.planner.model import DoseResponseGP


def probability_of_viability(config: CampaignConfig, pool: CandidatePool) -> Array | None:
    """Shape (n_conditions,): probability that cells live as `min_viability` asks; None where nothing is asked.

    From a dose-response model of its own, by its Gaussian mean and standard deviation. Results without a viability
    (an assay that does not tell) teach nothing, and the prior decides.

    Source: Gelbart et al. 2014, arXiv:1403.5607, section 3: an acquisition is weighted by this probability.
    """
    from scipy.special import ndtr

    constraints = config.planner.constraints
    if constraints is None or constraints.min_viability is None:
        return None
    told = [result for result in pool.results if result.viability is not None]
    model = DoseResponseGP(CurvePrior(), config.dose_range_um).fit(
        [result.proposal.cell_line for result in told],
        [result.proposal.compound for result in told],
        [result.proposal.dose_um for result in told],
        np.array([result.viability for result in told], dtype=float),
    )
    mean, sd = model.predict(*pool.conditions())
    result: Array = ndtr((mean - constraints.min_viability) / np.maximum(sd, 1e-6))
    return result
