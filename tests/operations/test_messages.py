"""What people are told, and how often."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellos_nb.domain import codec
from cellos_nb.errors import MessageError
from cellos_nb.operations.notifications.message import LONGEST_TITLE, Level, Message, grouped
from cellos_nb.operations.notifications.outbox import Outbox

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEYS = st.sampled_from(["", "plates held", "stocks low"])
TITLES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
MESSAGES = st.builds(Message, title=TITLES, body=TITLES, level=st.sampled_from(Level), key=KEYS)


def held(plate):
    return Message(f"{plate} is held", "Look at it.", Level.WARNING, key="plates held")


def after(seconds):
    return NOON + timedelta(seconds=seconds)


def test_the_text_of_a_message_is_its_proof():
    text = held("p1").canonical_text()
    assert text == "level: warning\nkey: plates held\ntitle: p1 is held\n\nLook at it.\n"
    assert held("p1").sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Message("p2 is held", "Look at it.", Level.WARNING, "plates held"), id="title"),
        pytest.param(Message("p1 is held", "Look at it!", Level.WARNING, "plates held"), id="body"),
        pytest.param(Message("p1 is held", "Look at it.", Level.FAILURE, "plates held"), id="level"),
        pytest.param(Message("p1 is held", "Look at it.", Level.WARNING), id="key"),
    ],
)
def test_every_field_of_a_message_changes_its_hash(other):
    assert other.sha256 != held("p1").sha256


def test_line_ends_of_another_system_do_not_change_the_hash():
    assert Message("t", "a\r\nb\n").sha256 == Message("t", "a\nb").sha256


@given(MESSAGES)
@settings(max_examples=40, deadline=None)
def test_a_message_survives_json(message):
    assert codec.from_json(Message, codec.to_json(message)) == message


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"title": " "}, "needs a title", id="empty"),
        pytest.param({"title": "held\nBcc: everyone@lab.org"}, "one line of plain text", id="a mail header in it"),
        pytest.param({"title": "x" * (LONGEST_TITLE + 1)}, f"{LONGEST_TITLE} are possible", id="too long"),
        pytest.param({"title": "t", "key": "a\nb"}, "The key .* one line", id="key of two lines"),
    ],
)
def test_a_title_that_cannot_be_one_is_refused(fields, why):
    with pytest.raises(MessageError, match=why):
        Message(**fields)


def test_five_held_plates_are_one_message():
    outbox, first = Outbox(window_s=60).offer(held("p0"), NOON)
    assert first == (held("p0"),)
    for k in range(1, 6):
        outbox, out = outbox.offer(held(f"p{k}"), after(k))
        assert out == ()
    assert outbox.next_due == after(60)
    assert outbox.due(after(59))[1] == ()
    outbox, (group,) = outbox.due(after(60))
    assert group.title == "5 plates held: p1 is held; p2 is held; p3 is held; p4 is held; p5 is held"
    assert group.body.splitlines()[0] == "- p1 is held: Look at it."
    assert outbox.next_due is None


def test_a_window_that_told_something_opens_anew_and_an_idle_one_closes():
    outbox, _ = Outbox(window_s=60).offer(held("p0"), NOON)
    outbox, _ = outbox.offer(held("p1"), after(1))
    outbox, out = outbox.due(after(60))
    assert out == (held("p1"),)
    outbox, out = outbox.offer(held("p2"), after(61))
    assert out == ()
    outbox, out = outbox.due(after(120))
    assert out == (held("p2"),)
    _, out = outbox.offer(held("p3"), after(181))
    assert out == (held("p3"),)


def test_messages_without_a_key_or_of_another_one_wait_for_nobody():
    outbox, _ = Outbox().offer(held("p0"), NOON)
    for message in (Message("campaign done"), Message("campaign done"), Message("low", key="stocks low")):
        outbox, out = outbox.offer(message, after(1))
        assert out == (message,)


def test_beyond_the_limit_messages_go_out_as_one_when_the_period_allows():
    outbox = Outbox(most=2, period_s=100)
    for k in range(2):
        outbox, out = outbox.offer(Message(f"m{k}"), after(k))
        assert len(out) == 1
    for k in range(2, 5):
        outbox, out = outbox.offer(Message(f"m{k}"), after(k))
        assert out == ()
    assert outbox.next_due == after(100)
    _, (late,) = outbox.due(after(100))
    assert late.title == "3 messages: m2; m3; m4"


def test_a_group_is_as_urgent_as_its_most_urgent_message_and_says_how_many_it_leaves_out():
    messages = [Message(f"plate number {k} is held", level=Level.INFO) for k in range(29)]
    group = grouped([*messages, Message("last", level=Level.FAILURE)], "plates held")
    assert group.level is Level.FAILURE
    assert len(group.title) == LONGEST_TITLE
    assert group.body.endswith("… and 10 more.")


def test_an_outbox_that_lets_nothing_out_is_refused():
    with pytest.raises(MessageError, match="at least 1 message"):
        Outbox(most=0)


@given(
    st.lists(st.tuples(MESSAGES, st.integers(0, 400)), max_size=25),
    st.integers(1, 4),
)
@settings(max_examples=40, deadline=None)
def test_every_message_is_told_or_counted_and_the_limit_holds(offered, most):
    outbox, now, sent = Outbox(window_s=120, most=most, period_s=600), NOON, []
    for message, pause_s in offered:
        now += timedelta(seconds=pause_s)
        outbox, out = outbox.offer(message, now)
        sent += [(now, one) for one in out]
        outbox = codec.from_json(Outbox, codec.to_json(outbox))
    while outbox.next_due is not None:
        now = max(now, outbox.next_due)
        outbox, out = outbox.due(now)
        sent += [(now, one) for one in out]
    text = "\n".join(f"{one.title}\n{one.body}" for _, one in sent)
    assert all(message.title in text for message, _ in offered) or "more." in text
    for at, _ in sent:
        n_in_period = sum(at <= other < at + timedelta(seconds=600) for other, _ in sent)
        assert n_in_period <= most


def test_what_waits_can_be_had_at_once_at_the_end():
    outbox, _ = Outbox().offer(held("p0"), NOON)
    outbox, _ = outbox.offer(held("p1"), NOON)
    outbox, out = outbox.drained()
    assert out == (held("p1"),)
    assert outbox.drained()[1] == ()
