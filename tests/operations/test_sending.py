"""Messages arrive at real servers, fail in words, never hold anything up and never show an address."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notified_people import MailServer, free_port, silent_server, web_server

from cellos_nb.domain import codec
from cellos_nb.errors import ChannelNotConfiguredError, ChannelUrlError, NotDeliveredError
from cellos_nb.operations.notifications import Channel, Level, Message, send
from cellos_nb.operations.notifications.channel import channels
from cellos_nb.operations.notifications.masking import masked, secrets_of, without_addresses

PASSWORD = "hunter2-4711"
TOKEN = "T0KEN-of-the-webhook"
HELD = Message("p1 is held", "It cannot be told whether <dose> took effect.\nLook at it.", Level.WARNING)


@pytest.fixture(autouse=True)
def _no_channels(monkeypatch):
    for name in channels():
        monkeypatch.delenv(name)


def test_a_mail_arrives_with_title_and_body(monkeypatch):
    mail_server = MailServer(PASSWORD)
    with mail_server.listening() as port:
        monkeypatch.setenv(
            "CELLOS_NOTIFY_URLS",
            f"mailto://robot:{PASSWORD}@127.0.0.1:{port}?from=lab@cellos.org&to=ada@cellos.org,max@cellos.org",
        )
        delivery = send(HELD, Channel()).check()
    assert delivery.is_delivered
    assert delivery.message_sha256 == HELD.sha256
    assert [mail["to"] for mail in mail_server.mails] == ["ada@cellos.org", "max@cellos.org"]
    mail = mail_server.mails[0]
    assert mail["subject"] == HELD.title
    plain = mail.get_body(("plain", "html")).get_content()
    assert "Look at it." in plain
    assert "<dose>" in plain or "&lt;dose&gt;" in plain


def test_a_wrong_password_is_a_failure_in_words(monkeypatch, caplog):
    with MailServer(PASSWORD).listening() as port, caplog.at_level(logging.DEBUG):
        monkeypatch.setenv(
            "CELLOS_NOTIFY_URLS", f"mailto://robot:{TOKEN}@127.0.0.1:{port}?from=lab@cellos.org&to=ada@cellos.org"
        )
        delivery = send(HELD, Channel())
        with pytest.raises(NotDeliveredError, match=r"1 of 1 addresses .* address 1 \(mailto\)") as caught:
            delivery.check()
    shown = f"{caught.value} {caught.value!r} {delivery!r} {caplog.text}"
    assert TOKEN not in shown
    assert "ada@cellos.org" not in shown


def test_a_webhook_gets_title_body_and_level(monkeypatch):
    with web_server() as (port, arrived):
        monkeypatch.setenv("CELLOS_CHANNEL_LAB_CHAT", f"json://127.0.0.1:{port}/hooks/{TOKEN}")
        send(HELD, Channel("lab chat")).check()
    (document,) = arrived
    assert (document["title"], document["message"], document["type"]) == (HELD.title, HELD.body, "warning")


def test_a_message_without_body_arrives(monkeypatch):
    with web_server() as (port, arrived):
        monkeypatch.setenv("CELLOS_NOTIFY_URLS", f"json://127.0.0.1:{port}")
        send(Message("campaign done"), Channel()).check()
    assert arrived[0]["title"] == "campaign done"


def test_one_broken_address_does_not_keep_the_others_and_a_retry_reaches_it_alone(monkeypatch):
    with web_server() as (good, arrived), web_server(status=500) as (bad, refused):
        monkeypatch.setenv("CELLOS_NOTIFY_URLS", f"json://127.0.0.1:{good}, json://127.0.0.1:{bad}/{TOKEN}")
        delivery = send(HELD, Channel())
        assert [outcome.error is None for outcome in delivery.outcomes] == [True, False]
        assert "500" in delivery.failed[0].error
        again = codec.from_json(Channel, codec.to_json(delivery.to_retry))
        send(HELD, again)
    assert (len(arrived), len(refused)) == (1, 2)


def test_an_address_where_nobody_listens_is_a_failure_and_no_exception(monkeypatch):
    monkeypatch.setenv("CELLOS_NOTIFY_URLS", f"json://127.0.0.1:{free_port()}")
    delivery = send(HELD, Channel())
    assert not delivery.is_delivered
    assert delivery.to_retry == Channel(only=(1,))


@pytest.mark.parametrize("kind", ["json", "mailto"])
def test_a_service_that_never_answers_is_given_up_and_neither_repeated_nor_waited_for(kind):
    # In a process of its own, whose end would wait for a thread that is not a daemon.
    code = (
        "import os, sys\nfrom cellos_nb.operations.notifications import Channel, Message, send\n"
        "delivery = send(Message('t', 'b'), Channel(), timeout_s=0.2)\n"
        "(outcome,) = delivery.outcomes\n"
        "print(outcome.is_uncertain, outcome.error, delivery.to_retry)"
    )
    with silent_server() as port:
        # Its own patience would be an hour.
        url = f"{kind}://me:{PASSWORD}@127.0.0.1:{port}?from=a@cellos.org&to=a@cellos.org&rto=3600&cto=3600"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"CELLOS_NOTIFY_URLS": url},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert done.stdout.startswith("True did not answer within 0.2 s, so the message may or may not have arrived None")
    assert PASSWORD not in done.stdout + done.stderr


def test_a_service_that_apprise_would_give_up_earlier_may_have_got_the_message_all_the_same(monkeypatch):
    with silent_server() as port:
        monkeypatch.setenv("CELLOS_NOTIFY_URLS", f"json://127.0.0.1:{port}?rto=0.05")
        (outcome,) = send(HELD, Channel(), timeout_s=0.5).outcomes
    assert outcome.is_uncertain


def test_a_channel_that_nobody_configured_names_the_variable_and_the_channels_there_are(monkeypatch):
    monkeypatch.setenv("CELLOS_CHANNEL_OFFICE", f"slack://{TOKEN}/a/b")
    monkeypatch.setenv("CELLOS_CHANNEL_EMPTY", " ")
    why = r"'lab' has no address\. Set the environment variable CELLOS_CHANNEL_LAB .* are: CELLOS_CHANNEL_OFFICE\."
    with pytest.raises(ChannelNotConfiguredError, match=why) as caught:
        send(HELD, Channel("lab"))
    assert TOKEN not in str(caught.value)
    assert not Channel("lab").is_configured


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"nosuchservice://me:{PASSWORD}@host/{TOKEN}", id="unknown service"),
        pytest.param(f"slack://{TOKEN}", id="part missing"),
        pytest.param(f"me:{PASSWORD}@host", id="no URL"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_before_any_message_leaves(url, monkeypatch, caplog):
    with web_server() as (port, arrived), caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("CELLOS_NOTIFY_URLS", f"json://127.0.0.1:{port} {url}")
        with pytest.raises(ChannelUrlError, match=r"CELLOS_NOTIFY_URLS, address 2") as caught:
            send(HELD, Channel())
    assert arrived == []
    for secret in (PASSWORD, TOKEN):
        assert secret not in f"{caught.value} {caplog.text}"


def test_an_address_in_place_of_a_name_is_refused_and_not_shown():
    with pytest.raises(ChannelUrlError, match="no name of a channel") as caught:
        Channel(f"mailto://me:{PASSWORD}@host")
    assert PASSWORD not in str(caught.value)


def test_a_position_that_there_is_not_is_refused(monkeypatch):
    monkeypatch.setenv("CELLOS_NOTIFY_URLS", "json://127.0.0.1:9")
    with pytest.raises(ChannelUrlError, match="holds 1 addresses; there is no number 2"):
        send(HELD, Channel(only=(2,)))


def test_addresses_are_parted_by_blanks_and_commas_and_may_hold_commas(monkeypatch):
    monkeypatch.setenv("CELLOS_NOTIFY_URLS", " mailto://h?to=a@b.org,c@d.org,json://h\n slack://a/b/c, xml://h, ")
    assert Channel().services == ("mailto", "json", "slack", "xml")


def test_the_debug_logs_of_the_libraries_beneath_show_no_token(monkeypatch, caplog):
    with web_server() as (port, arrived), caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("CELLOS_NOTIFY_URLS", f"json://robot:{PASSWORD}@127.0.0.1:{port}/hooks/{TOKEN}")
        send(HELD, Channel()).check()
    assert len(arrived) == 1
    assert "urllib3" in caplog.text
    assert "apprise" in caplog.text
    for secret in (PASSWORD, TOKEN):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("address", "secrets", "open_parts"),
    [
        pytest.param(f"slack://T1JJ3T3L2/A1BRTD4JD/{TOKEN}", ["T1JJ3T3L2", TOKEN], [], id="tokens"),
        pytest.param(
            "mailtos://me:p%40ss%2Fword@mail.lab.org", ["p%40ss%2Fword", "p@ss/word"], ["mail.lab.org"], id="encoded"
        ),
        pytest.param("mailtos://me:a:b@mail.lab.org", ["a:b"], ["mail.lab.org"], id="colon in it"),
        pytest.param("mailtos://mail.lab.org?user=robot&pass=s3cr3t", ["s3cr3t", "robot"], ["pass"], id="query"),
        pytest.param(f"tgram://123456789:{TOKEN}/12345", ["123456789", TOKEN, "12345"], [], id="token with colon"),
    ],
)
def test_every_part_of_an_address_but_its_host_is_masked(address, secrets, open_parts):
    text = masked(f"sending to {address.partition('://')[2]} failed", secrets_of(address))
    assert without_addresses(f"no service at {address}").endswith("://****")
    for secret in secrets:
        assert secret not in text
        assert secret not in masked(f"it said: {secret}!", secrets_of(address))
    for part in open_parts:
        assert part in text


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=20))
@settings(max_examples=40, deadline=None)
def test_no_password_is_left_however_it_is_written(password):
    from urllib.parse import quote

    secrets = secrets_of(f"mailtos://robot:{quote(password, safe='')}@mail.lab.org")
    assert password not in masked(f"535 {password} refused; {quote(password, safe='')}", secrets) or password in "****"
