"""The shipped control room in the real JupyterLab: a person decides there, and another process obeys."""

from __future__ import annotations

import pytest
from daemon_process import daemon_on, until
from lab_page import NotebookPage
from lab_server import LabServer
from troubled_machine import TroubledMachine

from cellos_nb import CampaignConfig, JobQueue, Lab
from cellos_nb.errors import InDoubtError
from cellos_nb.execution import plate_run
from cellos_nb.execution.queue import JobStatus
from cellos_nb.execution.recovery import doubts
from cellos_nb.execution.runs import run_records

SHIPPED = "control_room.ipynb"


def config(name: str, **changes) -> CampaignConfig:
    return CampaignConfig(
        **{
            "name": name,
            "cell_lines": ["U2OS"],
            "compounds": ["staurosporine", "paclitaxel"],
            "dose_range_um": [0.001, 10],
            "n_doses": 200,
            "objective": "minimise",
            "batch_size": 4,
            "max_iterations": 1,
            "plate_format": 24,
            "controls": {"vehicle": 3},
            "machine": "biology",
            "planner": "random",
            "seed": 3,
        }
        | changes
    )


@pytest.fixture
def own_server(_browser_is_there, tmp_path):
    """`cellos lab` on a database of this test's own, with the notebooks that it brings."""
    running = LabServer(tmp_path)
    yield running
    running.close()


@pytest.fixture
def url(own_server) -> str:
    return str(own_server.home / "lab.db")


@pytest.fixture
def room(page, own_server):
    """Opens the shipped control room on the newest campaign, at one of its panels."""

    def at(tab: str, title: str):
        notebook = NotebookPage(page, own_server, SHIPPED)
        notebook.run_all()
        notebook.panel("Live campaign")
        notebook.open_tab(tab)
        return notebook.panel(title)

    return at


def test_a_campaign_that_a_daemon_executes_is_paused_and_resumed_from_the_panel(room, url):
    with Lab.open(url) as lab:
        campaign = lab.submit(config("steered", max_iterations=90))
        live = room("Live", "Live campaign")
        live.get_by_text("It waits for the daemon").wait_for()
        with daemon_on(url) as process:
            live.get_by_text(f"Executed by process {process.pid}").wait_for()
            live.get_by_label("reason").fill("lunch")
            live.get_by_role("button", name="Pause").click()
            live.get_by_text("lunch").first.wait_for()
            open_runs = (JobStatus.CLAIMED, JobStatus.RUNNING)
            until(lambda: not any(run.status in open_runs for run in run_records(lab.store)))
            before = [(run.plate_id, run.status) for run in run_records(lab.store)]
            other = lab.submit(config("other"))
            until(lambda: other.status == "finished")
            after = [(run.plate_id, run.status) for run in run_records(lab.store)]
            assert [run for run in after if not run[0].startswith("other/")] == before
            assert campaign.status == "paused"
            n_done = len(campaign.iterations())
            live.get_by_role("button", name="Resume").click()
            until(lambda: len(campaign.iterations()) > n_done + 1)


def test_a_dead_letter_that_a_person_requeues_is_executed_by_the_process_of_its_machine(room, url, monkeypatch):
    monkeypatch.setattr(plate_run, "retry_delay_s", lambda attempt: 0.01)
    with Lab.open(url, TroubledMachine(n_dark=3)) as lab:
        campaign = lab.run(config("dark"))
        (letter,) = JobQueue(lab.store).dead_letters()
        autonomy = room("Autonomy", "Autonomy")
        autonomy.get_by_text("the lamp is dark").first.wait_for()
        autonomy.get_by_role("button", name="Requeue").click()
        autonomy.get_by_text("There are no dead letters").wait_for()
        assert JobQueue(lab.store).status(letter.job_id) is JobStatus.QUEUED
        assert lab.resume(campaign.campaign_id).status == "finished"
        assert all(result.measurement is not None for result in campaign.results)


def test_a_step_in_doubt_that_a_person_resolves_is_gone_on_from_by_the_process_of_its_machine(room, url):
    with Lab.open(url, TroubledMachine(n_lost=1)) as lab:
        with pytest.raises(InDoubtError):
            lab.run(config("doubted"))
        autonomy = room("Autonomy", "Autonomy")
        autonomy.get_by_role("button", name="Mark done").click()
        autonomy.get_by_text("look at it, then tick that you have").wait_for()
        assert len(doubts(lab.store)) == 1
        autonomy.get_by_label("I have looked at the plate").check()
        autonomy.get_by_role("button", name="Mark done").click()
        autonomy.get_by_text("Nothing is in doubt").wait_for()
        assert doubts(lab.store) == ()
        assert lab.resume("doubted").status == "finished"
