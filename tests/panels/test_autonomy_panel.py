"""Autonomy: what it shows of the execution, and what its buttons do to the store."""

from __future__ import annotations

from datetime import timedelta

import pytest
from daemon_process import daemon_on, until
from hostile_names import EVIL
from panel_campaigns import small_config
from troubled_machine import TroubledMachine

from cellos_nb import JobQueue, Lab
from cellos_nb.errors import InDoubtError
from cellos_nb.execution import plate_run
from cellos_nb.execution.actions import submit_action
from cellos_nb.execution.approvals import approvals_of
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.daemon import Daemon
from cellos_nb.execution.lease import holder_of
from cellos_nb.execution.queue import JobStatus
from cellos_nb.execution.recovery import doubts
from cellos_nb.execution.runs import run_of_plate, run_records
from cellos_nb.execution.ticks import ticks
from cellos_nb.panels import AutonomyPanel
from cellos_nb.units import now_utc


def config(**changes):
    small = {
        "name": "plain",
        "compounds": ["staurosporine", "paclitaxel"],
        "batch_size": 4,
        "max_iterations": 1,
        "planner": "random",
    }
    return small_config(**(small | changes))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(plate_run, "retry_delay_s", lambda attempt: 0.01)


@pytest.fixture
def url(tmp_path) -> str:
    return str(tmp_path / "lab.db")


@pytest.fixture
def doubtful(url):
    """A lab with one plate in doubt."""
    with Lab.open(url, TroubledMachine(n_lost=1)) as lab:
        with pytest.raises(InDoubtError):
            lab.run(config())
        yield lab


@pytest.fixture
def panel(url):
    with Lab.open(url) as lab, AutonomyPanel(lab) as opened:
        assert opened.widget
        yield opened


@pytest.fixture
def deciding(doubtful):
    with AutonomyPanel(doubtful) as opened:
        assert opened.widget
        yield opened


def foot_of(panel) -> str:
    return panel.widget.children[-1].value


def text_of(panel, part) -> str:
    return panel._html[part].value


def test_nobody_at_work_is_said_and_what_to_start(panel):
    assert "nobody; start `cellos daemon`" in text_of(panel, "state")
    assert "Nothing waits for a person" in panel.summary(panel.shown)
    assert all(box.layout.display == "none" for box in (panel._doubt_box, panel._approval_box, panel._letter_box))


def test_a_daemon_in_another_process_is_followed_paused_and_killed(panel, url):
    with daemon_on(url) as process:
        until(lambda: holder_of(panel.lab.store))
        submit_action(panel.lab.store, "notify", {"title": "a"}, idempotency_key="k")
        until(lambda: ticks(panel.lab.store) and ticks(panel.lab.store)[-1].finished_at)
        panel._refresh()
        assert f"process {process.pid} on" in text_of(panel, "state")
        assert 0 < panel.shown.seconds_left <= 30
        assert panel.shown.ticks[0].attempted == 1
        second = panel.stamp()
        until(lambda: panel.stamp() != second)
        panel.reason.value = f"tea {EVIL}"
        panel.pause_button.click()
        assert "&lt;img" in text_of(panel, "state")
        job = submit_action(panel.lab.store, "notify", {"title": "b"}, idempotency_key="l")
        panel.refresh()
        assert panel.shown.counts[JobStatus.QUEUED] == 1
        panel.allow_button.click()
        until(lambda: JobQueue(panel.lab.store).status(job) is JobStatus.SUCCEEDED)
        panel.reason.value = "smoke"
        panel.kill_button.click()
        assert "stopped all work" in process.communicate(timeout=60)[0]
    panel.allow_button.click()
    assert flags_of(panel.lab.store).read() == {}
    assert panel.errors.lines == ()


def test_real_needs_a_tick_and_going_back_does_not(panel):
    assert panel.mode_button.disabled
    panel.do(panel._switch)
    assert "tick that they may" in foot_of(panel)
    assert not flags_of(panel.lab.store).is_real
    panel.is_sure.value = True
    assert not panel.mode_button.disabled
    panel.mode_button.click()
    assert flags_of(panel.lab.store).is_real
    assert not panel.is_sure.value
    assert "REAL: real machines move" in text_of(panel, "state")
    panel.mode_button.click()
    assert not flags_of(panel.lab.store).is_real


def test_a_dead_letter_is_queued_again(url):
    with Lab.open(url, TroubledMachine(n_dark=3)) as lab:
        campaign = lab.run(config())
        assert campaign.status == "failed"
        with AutonomyPanel(lab) as panel:
            assert panel.widget
            assert "the lamp is dark" in text_of(panel, "letters")
            panel.requeue_button.click()
            assert panel.errors.lines == ()
            assert "There are no dead letters" in text_of(panel, "letters")
        assert lab.resume(campaign.campaign_id).status == "finished"
        assert all(result.measurement is not None for result in campaign.results)


def test_a_step_in_doubt_is_shown_with_the_bounds_of_the_choice(deciding, doubtful):
    (doubt,) = doubts(doubtful.store)
    assert f"N from 0 to {doubt.n_transfers - 1} of {doubt.n_transfers}" in text_of(deciding, "doubts")
    assert (deciding.n_done.min, deciding.n_done.max) == (0, doubt.n_transfers - 1)
    assert "1 step in doubt" in deciding.summary(deciding.shown)


@pytest.mark.parametrize(
    ("button", "ending"),
    [("done_button", "finished"), ("continue_button", "finished"), ("discard_button", "failed")],
    ids=["mark done", "continue", "discard"],
)
def test_a_doubt_is_resolved_after_a_person_has_looked(deciding, doubtful, button, ending):
    plate_id = deciding.doubt.value
    deciding.n_done.value = 2
    getattr(deciding, button).click()
    assert "look at it, then tick that you have" in foot_of(deciding)
    assert len(doubts(doubtful.store)) == 1
    deciding.has_looked.value = True
    getattr(deciding, button).click()
    assert deciding.errors.lines == ()
    assert doubts(doubtful.store) == ()
    assert "Nothing is in doubt" in text_of(deciding, "doubts")
    assert not deciding.has_looked.value
    assert plate_id in text_of(deciding, "log")
    (campaign,) = doubtful.campaigns()
    assert doubtful.resume(campaign.campaign_id).status == ending


def test_transfers_that_were_known_to_be_done_bound_the_next_choice(url):
    with Lab.open(url, TroubledMachine(n_lost=2)) as lab, AutonomyPanel(lab) as panel:
        with pytest.raises(InDoubtError):
            lab.run(config())
        assert panel.widget
        panel.n_done.value, panel.has_looked.value = 3, True
        panel.continue_button.click()
        with pytest.raises(InDoubtError):
            lab.resume(lab.campaigns()[0].campaign_id)
        panel.refresh()
        assert panel.n_done.min == 3
        assert "N from 3 to" in text_of(panel, "doubts")


def test_a_tick_for_one_plate_does_not_count_for_the_next(url):
    with Lab.open(url, TroubledMachine(n_lost=2)) as lab:
        for name in ("one", "two"):
            with pytest.raises(InDoubtError):
                lab.run(config(name=name))
        with AutonomyPanel(lab) as panel:
            assert panel.widget
            panel.doubt.value = "one/i001-p1"
            panel.has_looked.value = True
            panel.doubt.value = "two/i001-p1"
            assert panel.shown.doubt.plate_id == "two/i001-p1"
            assert not panel.has_looked.value


def test_a_held_run_is_read_and_approved_and_the_daemon_then_executes_it(url):
    with Lab.open(url, TroubledMachine(is_simulated=False)) as lab:
        campaign = lab.submit(config())
        daemon = Daemon(lab.store, lab)
        until(lambda: daemon.run(once=True) and [r.status for r in run_records(lab.store)] == [JobStatus.PAUSED])
        with AutonomyPanel(lab) as panel:
            assert panel.widget
            assert 'sandbox=""' in text_of(panel, "held")
            tables = {table.caption: table.frame for table in panel.static_form(panel.read()).tables}
            assert list(tables["waiting for an approval"]["plate"]) == [panel.held.value]
            panel.person.value = "Ada"
            panel.approve_button.click()
            assert "read it, then tick that you have" in foot_of(panel)
            panel.has_read.value, panel.hours.value = True, 0.0
            panel.approve_button.click()
            assert "0 h is not possible" in foot_of(panel)
            panel.has_read.value, panel.hours.value = True, 2.0
            panel.approve_button.click()
            assert panel.errors.lines == ()
            (workflow,) = campaign.workflows()
            (given,) = approvals_of(lab.store, workflow.sha256)
            assert given.person == "Ada"
            assert timedelta(hours=1.9) < given.expires_at - now_utc() < timedelta(hours=2)
            panel.is_sure.value = True
            panel.mode_button.click()
        until(lambda: daemon.run(once=True) and campaign.status == "finished")


def test_a_proof_that_was_altered_is_said_and_cannot_be_approved(url):
    with Lab.open(url, TroubledMachine(is_simulated=False)) as lab:
        lab.submit(config())
        daemon = Daemon(lab.store, lab)
        until(lambda: daemon.run(once=True) and [r.status for r in run_records(lab.store)] == [JobStatus.PAUSED])
        (page,) = lab.store.folder.glob("artifacts/*/protocol.html")
        page.chmod(0o644)
        page.write_text("nothing will happen", encoding="utf-8")
        with AutonomyPanel(lab) as panel:
            assert panel.widget
            assert 'role="alert"' in text_of(panel, "held")
            panel.person.value, panel.has_read.value = "Ada", True
            panel.approve_button.click()
            assert "was altered" in foot_of(panel)
        run = run_of_plate(lab.store, "plain/i001-p1")
        assert run.status is JobStatus.PAUSED


def test_the_log_is_filtered_by_level_and_text_and_its_words_are_escaped(panel):
    campaign = panel.lab.campaign(panel.lab.store.add_campaign(config()))
    campaign.pause(EVIL)
    campaign.unpause()
    panel.refresh()
    assert text_of(panel, "log").count("<tr>") == 3
    assert "&lt;img" in text_of(panel, "log")
    panel.text.value = "TAKEN BACK"
    assert [entry.message.partition(" by ")[0] for entry in panel.shown.log] == ["plain: pause taken back"]
    panel.text.value = "100%"
    assert panel.shown.log == ()
    panel.text.value = ""
    panel.level.value = "WARNING"
    assert "No line of the log is as asked" in text_of(panel, "log")


def test_the_static_form_names_what_waits_for_a_person(doubtful):
    with AutonomyPanel(doubtful, static=True) as panel:
        form = panel.static_form(panel.read())
    assert {table.caption for table in form.tables} == {"execution", "in doubt", "who decided what", "log"}
    assert "1 step in doubt" in form.summary


def test_who_decided_what_is_shown_with_account_and_reason_and_escaped(panel, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    panel.reason.value = EVIL
    panel.pause_button.click()
    panel.refresh()
    shown = text_of(panel, "acts")
    assert "queue.paused" in shown
    assert "jupyterhub:ada" in shown
    assert EVIL not in shown
    panel.reason.value = "air is clear"
    panel.allow_button.click()
    panel.refresh()
    newest = panel.shown.acts[0]
    assert (newest.who, newest.kind, newest.why) == ("ada", "queue.allowed", "air is clear")
