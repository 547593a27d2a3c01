"""From what happened to the people who hear of it: once each, in their channel, and never at the cost of a run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from notified_people import MailServer, free_port, web_server
from sqlalchemy import select, update
from stocked import RESOURCES
from troubled_machine import TroubledMachine

from cellos_nb import CampaignConfig, JobQueue, Lab
from cellos_nb.actions.deliver import MOST_ATTEMPTS, Deliver
from cellos_nb.domain.occasions import Occasion
from cellos_nb.domain.result import ResultStatus
from cellos_nb.errors import InDoubtError, NotDeliveredError
from cellos_nb.execution import batch as batches
from cellos_nb.execution.actions import Bench, perform_now
from cellos_nb.execution.artifacts import ArtifactStore
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.daemon import Daemon
from cellos_nb.execution.events import LeaseLost
from cellos_nb.execution.queue import JobStatus
from cellos_nb.postroom import DELIVERY, call_postman
from cellos_nb.store.message_table import messages
from cellos_nb.store.messages import STALE_H, tell, waiting
from cellos_nb.store.schema import lease
from cellos_nb.units import now_utc

TINY = CampaignConfig(
    name="tiny",
    cell_lines=["SK-LMS-1"],
    compounds=["Trametinib", "Dinaciclib"],
    dose_range_um=[0.001, 10],
    n_doses=8,
    batch_size=4,
    max_iterations=1,
    plate_format=24,
    controls={"vehicle": 2},
    machine="replay",
    planner="random",
    seed=5,
)
TROUBLED = CampaignConfig.from_dict(
    TINY.to_dict() | {"machine": "biology", "cell_lines": ["U2OS"], "compounds": ["staurosporine", "paclitaxel"]}
)
EVERYONE = "CELLOS_NOTIFY_URLS"


@pytest.fixture(autouse=True)
def _no_addresses(monkeypatch):
    for name in (EVERYONE, "CELLOS_MESSAGES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab.db") as opened:
        yield opened


@pytest.fixture
def inbox(monkeypatch):
    """What arrives at a real web server that everyone's messages go to."""
    with web_server() as (port, arrived):
        monkeypatch.setenv(EVERYONE, f"json://127.0.0.1:{port}")
        yield arrived


def note(lab, occasion=Occasion.PLATE_IN_DOUBT, about="p1", once="1"):
    with lab.store.write() as tx:
        return tell(tx, occasion, about, "Look at it.", once=once)


def deliver(lab, *, is_real=True):
    return Deliver().perform({}, Bench(lab.store, lab, is_real=is_real))


def rows(lab):
    with lab.store.read() as tx:
        return tx.execute(select(messages).order_by(messages.c.message_id)).all()


def titles(arrived):
    return [each["title"] for each in arrived]


def test_an_occasion_is_noted_once_whoever_sees_it(lab):
    assert note(lab)
    assert not note(lab)
    assert note(lab, once="2")
    assert note(lab, Occasion.STOCK_LOW)
    assert len(rows(lab)) == 3


def test_what_was_told_is_not_told_again(lab, inbox):
    note(lab)
    assert deliver(lab) == "1 message delivered"
    assert deliver(lab) == "0 messages delivered"
    assert titles(inbox) == ["p1: plate in doubt"]
    assert rows(lab)[0].channel == EVERYONE


def test_mail_arrives_through_a_real_server(lab, monkeypatch):
    server = MailServer("secret1")
    with server.listening() as port:
        monkeypatch.setenv(EVERYONE, f"mailto://robot:secret1@127.0.0.1:{port}?from=lab@cellos.org&to=ada@cellos.org")
        note(lab, Occasion.STOCK_LOW, "filter tips")
        deliver(lab)
    (mail,) = server.mails
    assert mail["Subject"] == "filter tips: stock low"
    assert "Look at it." in mail.get_body(("plain", "html")).get_content()


def test_in_proof_a_message_is_an_artifact_and_nothing_leaves(lab, inbox):
    note(lab)
    assert deliver(lab, is_real=False) == "1 message written as artifacts"
    assert inbox == []
    (row,) = rows(lab)
    text = (lab.store.folder / row.delivery.removeprefix("PROOF ")).read_text(encoding="utf-8")
    assert text == "level: warning\ntitle: p1: plate in doubt\n\nLook at it.\n"
    assert ArtifactStore.beside(lab.store)


def test_an_address_that_refuses_is_tried_again_alone_and_in_the_end_given_up(lab, monkeypatch):
    with web_server() as (good, taken), web_server(status=500) as (bad, refused):
        monkeypatch.setenv(EVERYONE, f"json://127.0.0.1:{good} json://127.0.0.1:{bad}")
        note(lab)
        for _ in range(MOST_ATTEMPTS):
            with pytest.raises(NotDeliveredError, match=r"'p1: plate in doubt' was not taken\. address 2 \(json\)"):
                deliver(lab)
        assert deliver(lab) == "0 messages delivered"
    assert (len(taken), len(refused)) == (1, MOST_ATTEMPTS)
    assert rows(lab)[0].delivery == "given up"


def test_a_process_that_ended_while_it_sent_has_the_next_one_say_so(lab, inbox, monkeypatch):
    from cellos_nb.actions import deliver as delivering

    def power_cut(message, channel):
        raise KeyboardInterrupt

    note(lab)
    with monkeypatch.context() as patched:
        patched.setattr(delivering, "send", power_cut)
        with pytest.raises(KeyboardInterrupt):
            deliver(lab)
    deliver(lab)
    (arrived,) = inbox
    assert "This may have reached you before" in arrived["message"]


def test_what_nobody_could_be_told_for_a_day_is_no_news_any_more(lab, inbox):
    note(lab)
    with lab.store.write() as tx:
        tx.execute(update(messages), {"at": now_utc() - timedelta(hours=STALE_H + 1)})
    deliver(lab)
    assert inbox == []
    assert rows(lab)[0].delivery == "too old"


def test_what_is_off_is_not_told_and_each_occasion_goes_to_its_channel(lab, inbox, monkeypatch):
    with web_server() as (port, chat):
        monkeypatch.setenv("CELLOS_CHANNEL_CHAT", f"json://127.0.0.1:{port}")
        (lab.store.folder / "messages.yaml").write_text("occasions: {plate in doubt: chat, stock low: off}\n")
        note(lab)
        note(lab, Occasion.STOCK_LOW)
        note(lab, Occasion.LEASE_LOST)
        deliver(lab)
    assert (titles(chat), titles(inbox)) == (["p1: plate in doubt"], ["p1: lease lost"])
    assert rows(lab)[1].delivery == "unwanted"


def test_those_that_come_later_are_gathered_and_their_delivery_is_queued(lab, inbox):
    note(lab)
    deliver(lab)
    note(lab, once="2", about="p2")
    note(lab, once="3", about="p3")
    assert deliver(lab) == "0 messages delivered"
    (job,) = JobQueue(lab.store).jobs(JobStatus.QUEUED)
    assert job.kind == DELIVERY
    assert timedelta(seconds=200) < job.not_before - now_utc() <= timedelta(seconds=300)
    (lab.store.folder / "messages.yaml").write_text("window_s: 0\n")
    deliver(lab)
    assert titles(inbox)[1] == "2 plates in doubt: p2: plate in doubt; p3: plate in doubt"


def test_without_an_address_nothing_is_queued(lab):
    note(lab)
    assert not call_postman(lab.store)
    assert JobQueue(lab.store).jobs() == ()


def test_a_campaign_that_runs_without_a_daemon_tells_that_it_is_done(lab, inbox):
    flags_of(lab.store).set_mode(is_real=True)
    lab.run(TINY)
    assert titles(inbox) == ["tiny: campaign done"]


def test_a_broken_channel_and_a_broken_file_stop_no_run(lab, monkeypatch, caplog):
    monkeypatch.setenv(EVERYONE, f"json://127.0.0.1:{free_port()}")
    flags_of(lab.store).set_mode(is_real=True)
    assert lab.run(TINY).status == "finished"
    assert "was not taken" in caplog.text
    (lab.store.folder / "messages.yaml").write_text("window_s: soon\n")
    assert lab.run(TINY).status == "finished"
    assert "messages.yaml" in caplog.text


def test_a_campaign_over_its_budget_says_so(lab, inbox):
    flags_of(lab.store).set_mode(is_real=True)
    lab.run(TINY.model_copy(update={"budget_usd": 0.01}))
    assert titles(inbox) == ["tiny: budget reached"]
    assert "USD allowed" in inbox[0]["message"]


def test_a_daemon_tells_of_a_plate_in_doubt_once(tmp_path, inbox):
    with Lab.open(tmp_path / "lab.db", TroubledMachine(n_lost=1)) as lab:
        lab.submit(TROUBLED)
        Daemon(lab.store, lab, is_real=True).run(until_idle=True)
        Daemon(lab.store, lab).run(until_idle=True)
    assert titles(inbox) == ["tiny/i001-p1: plate in doubt"]
    assert "cellos approve tiny/i001-p1" in inbox[0]["message"]


def test_a_plate_in_doubt_is_told_where_no_daemon_works_too(tmp_path, inbox):
    with Lab.open(tmp_path / "lab.db", TroubledMachine(n_lost=1)) as lab:
        flags_of(lab.store).set_mode(is_real=True)
        with pytest.raises(InDoubtError):
            lab.run(TROUBLED)
    assert titles(inbox) == ["tiny/i001-p1: plate in doubt"]


def test_a_plate_that_fails_quality_control_is_told_once(lab, inbox, monkeypatch):
    conclude = batches._conclude_plate

    def condemned(*args):
        from dataclasses import replace

        return tuple(replace(each, status=ResultStatus.QUARANTINED) for each in conclude(*args))

    monkeypatch.setattr(batches, "_conclude_plate", condemned)
    flags_of(lab.store).set_mode(is_real=True)
    lab.run(TINY)
    assert "tiny/i001-p1: quality failed" in titles(inbox)
    assert any("cellos overrule tiny/i001-p1" in each["message"] for each in inbox)


def test_a_stock_below_its_reorder_point_is_told_once_after_each_delivery(lab):
    plates = next(each for each in RESOURCES if each.name == "96-well plate")
    inventory = lab.inventory
    inventory.declare(plates)
    inventory.receive(plates.name, 6, lot_number="A")
    inventory.adjust("A", 5, "one was broken")
    assert rows(lab) == []
    inventory.adjust("A", 4, "another one was broken")
    inventory.adjust("A", 3, "and another one")
    (row,) = rows(lab)
    assert row.title == "96-well plate: stock low"
    assert row.body == "4 pcs are free; order below 5 pcs of Corning 3603. It takes 7 days to come."
    inventory.receive(plates.name, 50, lot_number="B")
    inventory.discard("B", "wrong plates")
    assert len(rows(lab)) == 2


def test_a_daemon_that_lost_its_lease_tells_so(lab, inbox):
    daemon = Daemon(lab.store, lab)
    serve = daemon._serve

    def taken_over(*args, **kwargs):
        with lab.store.write() as tx:
            tx.execute(update(lease).values(fencing=lease.c.fencing + 1, owner="another"))
            tx.execute(update(lease), {"expires_at": now_utc() - timedelta(seconds=1)})
        daemon._serve = serve
        daemon._lease._heard = float("-inf")
        daemon._lease.confirm()

    daemon._serve = taken_over
    flags_of(lab.store).set_mode(is_real=True)
    daemon.run(until_idle=True)
    (title,) = titles(inbox)
    assert title.startswith("daemon ")
    assert title.endswith(": lease lost")


def test_the_loss_of_a_lease_is_told_once(lab, inbox):
    lost = LeaseLost("daemon 1 on host", 3, "Another dispatcher took over.", now_utc())
    lab.hear(lost)
    lab.hear(lost)
    assert len(rows(lab)) == 1
    perform_now(DELIVERY, {}, Bench(lab.store, lab, is_real=True))
    with lab.store.read() as tx:
        assert waiting(tx) == ()
