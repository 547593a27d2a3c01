"""What goes out of the outbox: the first at once, the next ones together, no more than an hour bears."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellos_nb.domain.occasions import MEANINGS, Occasion
from cellos_nb.errors import ConfigError
from cellos_nb.operations.notifications.letters import AGAIN, HOUR, Sent, sort_out
from cellos_nb.operations.notifications.settings import MessageSettings
from cellos_nb.store.messages import Waiting

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVERYONE = "CELLOS_NOTIFY_URLS"
CHAT = "CELLOS_CHANNEL_LAB_CHAT"


@pytest.fixture(autouse=True)
def _addresses(monkeypatch):
    monkeypatch.setenv(EVERYONE, "json://127.0.0.1:9")
    monkeypatch.setenv(CHAT, "json://127.0.0.1:9")


def waits(number, occasion=Occasion.PLATE_IN_DOUBT, attempts=0, left_to=()):
    return Waiting(number, occasion.value, f"p{number}", "Look.", MEANINGS[occasion].level, NOON, attempts, left_to)


def out(waiting, sent=None, now=NOON, **settings):
    found = sort_out(waiting, sent or {}, MessageSettings(**settings), now)
    return [(each.channel.variable, each.message.title, each.message_ids) for each in found.letters], found


def test_the_first_of_an_occasion_goes_out_at_once():
    letters, found = out([waits(1), waits(2, Occasion.STOCK_LOW)])
    assert letters == [(EVERYONE, "p1", (1,)), (EVERYONE, "p2", (2,))]
    assert found.next_due is None


def test_those_that_wait_at_the_same_time_are_told_as_one_as_urgent_as_the_most_urgent():
    letters, found = out([waits(1), waits(2), waits(3)])
    assert letters == [(EVERYONE, "3 plates in doubt: p1; p2; p3", (1, 2, 3))]
    assert found.letters[0].message.level == "warning"


def test_the_next_ones_wait_until_the_window_of_the_last_is_over():
    sent = {EVERYONE: Sent({"plate in doubt": NOON}, [NOON])}
    letters, found = out([waits(1), waits(2)], sent, NOON + timedelta(seconds=299))
    assert letters == []
    assert found.next_due == NOON + timedelta(seconds=300)
    letters, found = out([waits(1), waits(2)], sent, NOON + timedelta(seconds=300))
    assert [ids for *_, ids in letters] == [(1, 2)]


def test_another_occasion_does_not_wait_for_that_window():
    sent = {EVERYONE: Sent({"plate in doubt": NOON}, [NOON])}
    assert [ids for *_, ids in out([waits(1), waits(2, Occasion.STOCK_LOW)], sent)[0]] == [(2,)]


def test_what_an_hour_does_not_bear_goes_out_as_one_or_later():
    mine = [waits(1), waits(2, Occasion.STOCK_LOW), waits(3, Occasion.CAMPAIGN_DONE)]
    sent = {EVERYONE: Sent({}, [NOON - timedelta(minutes=50)])}
    letters, _ = out(mine, sent, most_per_hour=2)
    assert letters == [(EVERYONE, "3 messages: p1; p2; p3", (1, 2, 3))]
    letters, found = out(mine, sent, most_per_hour=1)
    assert letters == []
    assert found.next_due == NOON - timedelta(minutes=50) + HOUR


def test_each_occasion_has_its_channel_and_what_is_off_is_crossed_off():
    letters, found = out(
        [waits(1), waits(2, Occasion.STOCK_LOW), waits(3, Occasion.LEASE_LOST)],
        occasions={"plate in doubt": "lab chat", "stock low": False},
    )
    assert letters == [(CHAT, "p1", (1,)), (EVERYONE, "p3", (3,))]
    assert found.unwanted == (2,)


def test_what_has_no_address_waits_for_one(monkeypatch):
    monkeypatch.delenv(EVERYONE)
    letters, found = out([waits(1)])
    assert (letters, found.unwanted, found.next_due) == ([], (), None)


def test_addresses_that_refused_are_tried_alone_and_at_once():
    sent = {EVERYONE: Sent({"plate in doubt": NOON}, [NOON])}
    letters, found = out([waits(1, attempts=1, left_to=(2,)), waits(2)], sent)
    assert [ids for *_, ids in letters] == [(1,)]
    assert found.letters[0].channel.only == (2,)
    assert AGAIN not in found.letters[0].message.body


def test_a_channel_that_had_more_than_it_may_now_and_has_nothing_due_is_left_alone():
    sent = {EVERYONE: Sent({"plate in doubt": NOON}, [NOON, NOON])}
    letters, found = out([waits(1)], sent, most_per_hour=1, window_s=600)
    assert letters == []
    assert found.next_due == NOON + timedelta(seconds=600)


def test_what_may_have_been_sent_before_a_crash_says_so():
    (letter,) = out([waits(1, attempts=1)])[1].letters
    assert letter.message.body == f"Look.\n{AGAIN}"


@given(
    st.lists(st.sampled_from(Occasion), max_size=12),
    st.dictionaries(st.sampled_from([each.value for each in Occasion]), st.integers(0, 600), max_size=4),
    st.integers(1, 5),
)
def test_every_message_goes_out_once_or_is_held_and_no_channel_gets_more_than_it_may(occasions, ago_s, most):
    waiting = [waits(number, occasion) for number, occasion in enumerate(occasions)]
    last = {occasion: NOON - timedelta(seconds=s) for occasion, s in ago_s.items()}
    _, found = out(waiting, {EVERYONE: Sent(last, sorted(last.values()))}, most_per_hour=most)
    told = [number for letter in found.letters for number in letter.message_ids]
    assert len(told) == len(set(told))
    assert len(found.letters) <= max(0, most - len(last))
    if len(told) < len(waiting):
        assert found.next_due is not None
        assert found.next_due > NOON


def test_a_lab_without_a_file_tells_everything_to_everyone(tmp_path, monkeypatch):
    monkeypatch.delenv("CELLOS_MESSAGES", raising=False)
    settings = MessageSettings.of_lab(tmp_path)
    assert {settings.channel_of(each).variable for each in Occasion} == {EVERYONE}
    assert settings.is_any_configured


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("occasions:\n  plate lost: off\n", "line 2", id="no such occasion"),
        pytest.param("occasions:\n  stock low: 'slack://token'\n", "is no name of a channel", id="an address"),
        pytest.param("window_s: -1\n", "line 1", id="window"),
        pytest.param("most_per_hour: 0\n", "line 1", id="limit"),
        pytest.param("windows: 3\n", "windows", id="typing error"),
    ],
)
def test_what_is_wrong_in_the_file_is_refused_and_shows_no_address(tmp_path, monkeypatch, text, said):
    monkeypatch.delenv("CELLOS_MESSAGES", raising=False)
    (tmp_path / "messages.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said) as error:
        MessageSettings.of_lab(tmp_path)
    assert "token" not in str(error.value)


def test_the_environment_may_name_another_file(tmp_path, monkeypatch):
    (tmp_path / "other.yaml").write_text("channel: lab chat\n")
    monkeypatch.setenv("CELLOS_MESSAGES", str(tmp_path / "other.yaml"))
    assert MessageSettings.of_lab(tmp_path / "elsewhere").channel_of("stock low").variable == CHAT
    monkeypatch.setenv("CELLOS_MESSAGES", str(tmp_path / "missing.yaml"))
    with pytest.raises(ConfigError, match="no such file"):
        MessageSettings.of_lab(tmp_path)


def test_every_occasion_has_a_meaning_and_a_row_in_the_documentation():
    assert set(MEANINGS) == set(Occasion)
    page = (Path(__file__).parents[2] / "docs/how-to/messages.md").read_text(encoding="utf-8")
    assert [each for each in Occasion if f"| `{each}` |" not in page] == []
