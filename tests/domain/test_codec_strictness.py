"""What is read back from JSON has no key that its value does not know."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from cellos_nb.domain import codec
from cellos_nb.domain.proposal import ExperimentProposal, ProposalReason
from cellos_nb.domain.result import ExperimentResult, ResultStatus, WellResult

PROPOSAL = ExperimentProposal("U2OS", "a", 1.0, reason=ProposalReason("random"))
RESULT = ExperimentResult(PROPOSAL, ResultStatus.OK, 0.5, wells=(WellResult("p", "A1", 1, 2.0, 0.5),))


@pytest.mark.parametrize(
    ("value", "at"),
    [
        pytest.param(PROPOSAL, (), id="proposal"),
        pytest.param(PROPOSAL, ("reason",), id="reason"),
        pytest.param(RESULT, (), id="result"),
        pytest.param(RESULT, ("wells", 0), id="well"),
    ],
)
def test_an_unknown_key_is_refused(value, at):
    content = json.loads(codec.to_json(value))
    assert codec.from_jsonable(type(value), content) == value
    here = content
    for part in at:
        here = here[part]
    here["unheard_of"] = 1
    with pytest.raises(ValidationError, match="unheard_of"):
        codec.from_jsonable(type(value), content)
