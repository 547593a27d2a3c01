from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.proposal import ExperimentProposal, ProposalReason
from cellos_nb.domain.result import ExperimentResult, QCFlag, ResultStatus, WellResult
from cellos_nb.errors import CampaignError, ProposalError, StoreCorruptError
from cellos_nb.store.records import CampaignStatus, slug
from cellos_nb.store.store import Store

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def config(name="Demo"):
    return CampaignConfig(name=name, cell_lines=["U2OS"], compounds=["drug"], dose_range_um=(0.1, 10.0))


def asked(iteration=1, n=3):
    return [
        ExperimentProposal("U2OS", "drug", 0.1 * k, proposal_id=f"i{iteration:03d}-e{k:03d}") for k in range(1, n + 1)
    ]


def answer(proposal, iteration=1, **values):
    return ExperimentResult(proposal, ResultStatus.OK, 0.5, iteration=iteration, **values)


@pytest.fixture
def store(database):
    with Store.open(database) as opened:
        yield opened


def test_a_campaign_is_named_after_its_name_and_numbered_when_that_is_taken(store):
    assert [store.add_campaign(config("Sarcoma screen!")) for _ in range(3)] == [
        *("sarcoma-screen", "sarcoma-screen-2", "sarcoma-screen-3")
    ]
    assert store.add_campaign(config("Ad hoc")) == "ad-hoc-2"


def test_a_name_that_begins_like_another_is_no_conflict(store):
    assert [store.add_campaign(config(name)) for name in ("Demo 2", "Demo", "Demo")] == ["demo-2", "demo", "demo-3"]


@given(name=st.text(min_size=1, max_size=120))
@settings(max_examples=50, deadline=None)
def test_an_identifier_is_safe_in_a_path(name):
    assert slug(name)
    assert set(slug(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert slug(slug(name)) == slug(name)


def test_a_campaign_keeps_its_configuration_with_every_default(store):
    campaign_id = store.add_campaign(config())
    record = store.campaign(campaign_id)
    assert record.config == config()
    assert (record.status, record.n_iterations, record.n_experiments) == (CampaignStatus.RUNNING, 0, 0)
    assert record.created_at.tzinfo is UTC


def test_a_campaign_has_a_status_and_a_reason(store):
    campaign_id = store.add_campaign(config())
    store.set_campaign_status(campaign_id, "finished", "converged")
    record = store.campaign(campaign_id)
    assert (record.status, record.stop_reason) == ("finished", "converged")
    assert record.changed_at >= record.created_at
    with pytest.raises(ValueError, match="'done' is not a valid"):
        store.set_campaign_status(campaign_id, "done")


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda store: store.campaign("sarcom"), id="campaign"),
        pytest.param(lambda store: store.history("sarcom"), id="history"),
        pytest.param(lambda store: store.iterations("sarcom"), id="iterations"),
        pytest.param(lambda store: store.set_campaign_status("sarcom", "paused"), id="status"),
        pytest.param(lambda store: store.add_iteration("sarcom", 1, asked()), id="iteration"),
    ],
)
def test_an_unknown_campaign_is_answered_with_those_there_are(store, call):
    with pytest.raises(CampaignError, match="sarcom: no such campaign; this database holds none yet"):
        call(store)
    store.add_campaign(config("Sarcoma"))
    store.add_campaign(config("Lung"))
    with pytest.raises(CampaignError, match=r"there are lung, sarcoma\. Did you mean sarcoma\?"):
        call(store)


def test_a_damaged_configuration_names_its_campaign(store):
    campaign_id = store.add_campaign(config())
    with store.write() as tx:
        tx.execute(text("""UPDATE campaigns SET config = '{"name": "Demo"}'"""))
    with pytest.raises(StoreCorruptError, match="demo: its stored configuration is damaged"):
        store.campaign(campaign_id)


def test_an_iteration_is_stored_once_and_does_not_change(store):
    campaign_id = store.add_campaign(config())
    for _ in range(2):
        store.add_iteration(campaign_id, 1, asked())
    (lap,) = store.iterations(campaign_id)
    assert (lap.batch_id, lap.iteration, list(lap.proposals)) == ("demo/i001", 1, asked())
    assert not lap.is_concluded
    assert lap.duration_s is None
    with pytest.raises(CampaignError, match="demo/i001: was stored with other proposals"):
        store.add_iteration(campaign_id, 1, asked(n=2))


@pytest.mark.parametrize(
    ("proposals", "match"),
    [
        pytest.param([replace(asked()[0], proposal_id="")], "a proposal has none", id="no identifier"),
        pytest.param([asked()[0], asked()[0]], "i001-e001 stands twice", id="twice in a batch"),
        pytest.param([asked()[0]], "i001-e001 was used before", id="used before"),
    ],
)
def test_a_proposal_is_named_once_in_its_campaign(store, proposals, match):
    campaign_id = store.add_campaign(config())
    store.add_iteration(campaign_id, 1, asked())
    with pytest.raises(ProposalError, match=match):
        store.add_iteration(campaign_id, 2, proposals)
    assert len(store.iterations(campaign_id)) == 1


def test_an_iteration_is_concluded_with_its_last_result(store):
    campaign_id = store.add_campaign(config())
    store.add_iteration(campaign_id, 1, asked())
    store.add_results(campaign_id, 1, [answer(asked()[2])])
    assert not store.iterations(campaign_id)[0].is_concluded
    store.add_results(campaign_id, 1, [answer(p) for p in asked()[:2]])
    (lap,) = store.iterations(campaign_id)
    assert lap.is_concluded
    assert lap.duration_s >= 0
    assert [result.proposal.proposal_id for result in store.history(campaign_id)] == [p.proposal_id for p in asked()]
    assert store.campaign(campaign_id).n_experiments == 3


def test_a_result_is_stored_once_and_does_not_change(store):
    campaign_id = store.add_campaign(config())
    store.add_iteration(campaign_id, 1, asked())
    store.add_results(campaign_id, 1, [answer(p) for p in asked()])
    store.add_results(campaign_id, 1, [replace(answer(p), measurement=0.9) for p in asked()])
    assert [result.measurement for result in store.history(campaign_id)] == [0.5] * 3


def test_a_result_that_answers_nothing_is_refused_and_nothing_is_stored(store):
    campaign_id = store.add_campaign(config())
    store.add_iteration(campaign_id, 1, asked())
    with pytest.raises(CampaignError, match="'i009-e001' answers no proposal"):
        store.add_results(campaign_id, 1, [answer(asked()[0]), answer(asked(9)[0])])
    assert len(store.history(campaign_id)) == 0


def test_the_history_is_in_the_order_of_iterations_and_proposals(store):
    campaign_id = store.add_campaign(config())
    for iteration in (2, 1):
        store.add_iteration(campaign_id, iteration, asked(iteration))
        store.add_results(campaign_id, iteration, [answer(p, iteration) for p in reversed(asked(iteration))])
    found = [(result.iteration, result.proposal.proposal_id) for result in store.history(campaign_id)]
    assert found == [(k, p.proposal_id) for k in (1, 2) for p in asked(k)]


numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
flags = st.lists(st.sampled_from(QCFlag), unique=True, max_size=3).map(tuple)
names = st.text(min_size=1, max_size=8).filter(str.strip).filter(lambda name: "\0" not in name)
moments = st.none() | st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 — hypothesis takes bounds without zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
wells = st.builds(WellResult, names, names, st.integers(1, 99), numbers, numbers, flags)
reasons = st.none() | st.builds(
    ProposalReason, names, numbers, numbers, numbers, st.sampled_from(["explore", "exploit", "initial"])
)
proposals = st.builds(ExperimentProposal, names, names, st.floats(1e-9, 1e6), names, st.just("i001-e001"), reasons)
answers = st.builds(
    ExperimentResult,
    proposals,
    st.sampled_from(ResultStatus),
    numbers,
    numbers,
    st.integers(0, 9999),
    numbers,
    st.lists(wells, max_size=3).map(tuple),
    flags,
    st.none() | names,
    st.just(1),
    moments,
    moments,
    st.floats(0, 1e6),
)


@given(result=answers)
@settings(max_examples=40, deadline=None)
def test_a_result_comes_back_as_it_was(result):
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "lab.db") as store:
        campaign_id = store.add_campaign(config())
        store.add_iteration(campaign_id, 1, [result.proposal])
        store.add_results(campaign_id, 1, [result])
        assert store.history(campaign_id).results == (result,)
        assert store.iterations(campaign_id)[0].proposals == (result.proposal,)


def test_times_are_kept_as_utc_and_one_without_zone_is_refused(store):
    campaign_id = store.add_campaign(config())
    store.add_iteration(campaign_id, 1, asked())
    in_berlin = NOON.astimezone(timezone(timedelta(hours=1)))
    store.add_results(campaign_id, 1, [answer(asked()[0], started_at=in_berlin)])
    (result,) = store.history(campaign_id)
    assert result.started_at == NOON
    assert result.started_at.tzinfo is UTC
