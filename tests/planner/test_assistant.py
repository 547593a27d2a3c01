"""The assistant against a real service on this machine: what is sent, what comes back, and what goes wrong."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cellos_nb import CampaignConfig
from cellos_nb.errors import AssistantError, AssistantNotConfiguredError
from cellos_nb.planner.assistant import KEY, MODEL, URL, Assistant, draft_campaign

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from command import CAMPAIGN, assert_one_clear_line, cellos_here

SECRET = "sk-very-secret"


@contextmanager
def service(*answers):
    """A chat service that gives these answers in turn: texts, or (status, body, headers)."""
    asked = []

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, self.headers.get("Authorization"), json.loads(body)))
            answer = answers[min(len(asked), len(answers)) - 1]
            if isinstance(answer, str):
                answer = (200, json.dumps({"choices": [{"message": {"content": answer}}]}), {})
            status, text, headers = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    server.daemon_threads = False  # so that closing it waits for its threads and their sockets
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def assistant(url):
    return Assistant.from_environment({URL: url, MODEL: "tiny", KEY: SECRET})


def test_a_draft_is_a_valid_campaign_and_the_service_is_told_the_question_alone():
    with service(f"Here it is:\n```yaml\n{CAMPAIGN}```\n") as (url, asked):
        config = draft_campaign("Which of these lowers viability?", assistant(url))
    assert config == CampaignConfig.from_dict(config.to_dict())
    assert config.name == "tiny"
    ((path, authorization, body),) = asked
    assert path == "/v1/chat/completions"
    assert authorization == f"Bearer {SECRET}"
    assert body["model"] == "tiny"
    assert body["messages"][1] == {"role": "user", "content": "Which of these lowers viability?"}
    assert "dose_range_um" in body["messages"][0]["content"]


def test_a_refused_draft_is_given_back_with_the_reason():
    wrong = CAMPAIGN.replace("batch_size: 4", "batch_size: 0")
    with service(wrong, CAMPAIGN) as (url, asked):
        assert draft_campaign("?", assistant(url)).batch_size == 4
    assert "batch_size: 0 is too small; give a number of at least 1" in asked[1][2]["messages"][-1]["content"]


def test_drafts_that_stay_wrong_end_with_the_last_refusal():
    with service("I cannot help with that.") as (url, asked), pytest.raises(AssistantError, match="no mapping of keys"):
        draft_campaign("?", assistant(url))
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        ((401, SECRET, {}), "refused with HTTP 401. Check CELLOS_ASSISTANT_KEY"),
        ((200, "<html>", {}), "no answer that can be read"),
        ((200, '{"choices": []}', {}), "no answer that can be read"),
        ((302, "", {"Location": "http://127.0.0.1:1/elsewhere"}), "refused with HTTP 302"),
    ],
    ids=["key", "page", "empty", "redirect"],
)
def test_a_service_that_fails_is_reported_and_the_key_stays_secret(answer, match):
    with service(answer) as (url, asked), pytest.raises(AssistantError, match=match) as failed:
        assistant(url).answer([{"role": "user", "content": "hello"}])
    assert SECRET not in str(failed.value) + repr(assistant(url))
    assert len(asked) == 1


def test_a_service_that_is_away_is_reported():
    with service("x") as (url, _):
        gone = assistant(url)
    with pytest.raises(AssistantError, match="cannot be reached"):
        gone.answer([])


@pytest.mark.parametrize(
    ("environment", "match"),
    [
        ({}, f"set {URL} and {MODEL}"),
        ({URL: "https://x/v1"}, f"not configured: set {MODEL} "),
        ({URL: "http://example.org/v1", MODEL: "m"}, "begins with https://"),
        ({URL: "file:///etc", MODEL: "m"}, "begins with https://"),
    ],
    ids=["nothing", "no model", "in the clear", "a file"],
)
def test_what_is_not_configured_says_what_to_set(environment, match):
    with pytest.raises(AssistantNotConfiguredError, match=match):
        Assistant.from_environment(environment)


def test_the_commands_draft_a_plan_and_a_summary(tmp_path, monkeypatch):
    for name in (URL, MODEL, KEY):
        monkeypatch.delenv(name, raising=False)
    unset = cellos_here("assistant", "draft", "Which compound?", cwd=tmp_path)
    assert_one_clear_line(unset, 2, "The assistant is not configured", "Everything else works without it")
    with service(CAMPAIGN, "Dinaciclib was the most potent.") as (url, asked):
        monkeypatch.setenv(URL, url)
        monkeypatch.setenv(MODEL, "tiny")
        made = cellos_here("assistant", "draft", "Which compound?", "--out", "c.yaml", cwd=tmp_path)
        assert made.code == 0, made.err
        assert (tmp_path / "c.yaml").read_text().startswith("# Drafted by a language model from: Which compound?\n")
        again = cellos_here("assistant", "draft", "?", "--out", "c.yaml", cwd=tmp_path)
        assert_one_clear_line(again, 2, "c.yaml exists already")
        assert cellos_here("run", "c.yaml", "--db", "lab.db", cwd=tmp_path).code == 0
        told = cellos_here("assistant", "summary", "tiny", "--db", "lab.db", cwd=tmp_path)
    assert "Dinaciclib was the most potent." in told.out
    assert "best conditions:" in asked[-1][2]["messages"][1]["content"]
    board = cellos_here("scoreboard", "tiny", "--db", "lab.db", "--planner", "grid", "--json", cwd=tmp_path)
    assert {line["planner"] for line in json.loads(board.out)["lines"]} == {"grid", "the campaign itself"}
    assert cellos_here("export", "tiny", "--csv", "h.csv", "--db", "lab.db", cwd=tmp_path).code == 0
    table = cellos_here("scoreboard", "h.csv", "--config", "c.yaml", "--planner", "random", cwd=tmp_path)
    assert "8 experiments replayed" in table.out, table.err
    assert_one_clear_line(cellos_here("scoreboard", "h.csv", cwd=tmp_path), 2, "with --config")
