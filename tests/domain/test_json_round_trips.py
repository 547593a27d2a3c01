"""Every value that crosses a border comes back as it was."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cellos_nb.domain import codec
from cellos_nb.domain.plate import PlateLayout, WellAssignment
from cellos_nb.domain.proposal import ExperimentProposal, ProposalReason
from cellos_nb.domain.reading import Channel, Reading
from cellos_nb.domain.result import ExperimentResult, QCFlag, ResultStatus, WellResult
from cellos_nb.domain.step import Fill, Labware, Liquid, Readout, Step, TransferList

finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(max_size=8)
name = st.text(min_size=1, max_size=8).filter(str.strip)
some = settings(max_examples=30, deadline=None)

reasons = st.builds(ProposalReason, name, st.none() | finite, st.none() | finite, st.none() | finite)
proposals = st.builds(
    ExperimentProposal,
    cell_line=name,
    compound=name,
    dose_um=st.floats(1e-9, 1e6),
    assay=name,
    proposal_id=text,
    reason=st.none() | reasons,
)
flags = st.lists(st.sampled_from(QCFlag), max_size=3).map(tuple)
well_results = st.builds(
    WellResult, text, text, st.integers(1, 9), st.none() | finite, st.none() | finite, qc_flags=flags
)
times = st.none() | st.datetimes(timezones=st.just(UTC))
results = st.builds(
    ExperimentResult,
    proposal=proposals,
    measurement=st.none() | finite,
    standard_error=st.none() | finite,
    wells=st.lists(well_results, max_size=3).map(tuple),
    qc_flags=flags,
    error=st.none() | text,
    started_at=times,
    finished_at=times,
    cost_usd=finite,
)
channels = st.builds(
    Channel, text, text, st.lists(st.none() | finite, max_size=4).map(tuple), st.none() | st.integers()
)
readings = st.builds(
    Reading, text, text, st.lists(text, max_size=4).map(tuple), st.lists(channels, max_size=3).map(tuple), st.booleans()
)
layouts = st.builds(
    PlateLayout,
    st.sampled_from([6, 96, 1536]),
    st.lists(st.builds(WellAssignment, well=text, compound=st.none() | text), max_size=4).map(tuple),
)
liquids = st.builds(Liquid, text, cells_per_ul=finite, compound=st.none() | text)
steps = st.builds(
    Step,
    uid=text,
    labware=st.lists(st.builds(Labware, text, text, st.integers(1, 1536), finite), max_size=2).map(tuple),
    fills=st.lists(st.builds(Fill, text, text, liquids, finite), max_size=2).map(tuple),
    transfers=st.none() | st.just(TransferList(("s",), ("A1",), ("plate",), ("B2",), (0.1 + 0.2,))),
    readout=st.none() | st.builds(Readout, text, st.just(("DAPI", "GFP")), st.just(("A1",)), st.integers(1, 9)),
    duration_h=st.none() | finite,
    seed=st.integers(0, 2**63 - 1),
)


@pytest.mark.parametrize(
    "values",
    [proposals, results, readings, layouts, steps],
    ids=["proposal", "result", "reading", "layout", "step"],
)
def test_a_value_survives_json(values):
    @some
    @given(value=values)
    def survives(value):
        assert codec.from_json(type(value), codec.to_json(value)) == value
        assert codec.from_jsonable(type(value), codec.to_jsonable(value)) == value

    survives()


@some
@given(value=results)
def test_the_canonical_text_and_its_hash_depend_on_the_value_alone(value):
    again = codec.from_json(ExperimentResult, codec.to_json(value))
    assert codec.canonical_json(again) == codec.canonical_json(value)
    assert codec.sha256(again) == codec.sha256(value)
    assert len(codec.sha256(value)) == 64


def test_the_canonical_text_is_sorted_and_without_blanks():
    proposal = ExperimentProposal("U2OS", "µ-drug", 0.1)
    assert codec.canonical_json(proposal) == (
        '{"assay":"viability","cell_line":"U2OS","compound":"µ-drug","dose_um":0.1,"proposal_id":"","reason":null}'
    )


def test_a_number_that_is_not_finite_has_no_canonical_text():
    with pytest.raises(ValueError, match="not JSON compliant"):
        codec.canonical_json(Channel("luminescence", "RLU", (float("nan"),)))


@pytest.mark.parametrize(
    ("json_text", "message"),
    [
        pytest.param("{", "Invalid JSON", id="torn"),
        pytest.param('{"cell_line": "a"}', "Field required", id="incomplete"),
        pytest.param('{"cell_line": "a", "compound": "b", "dose_um": "much"}', "valid number", id="wrong-type"),
    ],
)
def test_text_that_is_no_proposal_is_refused(json_text, message):
    with pytest.raises(ValidationError, match=message):
        codec.from_json(ExperimentProposal, json_text)


def test_times_keep_their_zone():
    begun = datetime(2026, 3, 1, 12, tzinfo=UTC)
    result = ExperimentResult(ExperimentProposal("a", "b", 1.0), ResultStatus.OK, started_at=begun)
    assert codec.from_json(ExperimentResult, codec.to_json(result)).started_at == begun
