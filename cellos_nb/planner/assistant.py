"""A language model that drafts a campaign or a summary in words; never needed, and only where one is configured.

Any service with OpenAI's `chat/completions` will do, also one on this machine. What it writes is a draft: a campaign is
checked like one typed by hand, and nothing is run.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import score_conditions
from cellos_nb.domain.summary import CampaignSummary
from cellos_nb.errors import AssistantError, AssistantNotConfiguredError, ConfigError

URL, KEY, MODEL = "CELLOS_ASSISTANT_URL", "CELLOS_ASSISTANT_KEY", "CELLOS_ASSISTANT_MODEL"
_TIMEOUT_S = 120.0
_MAX_ANSWER_BYTES = 1_000_000
_N_REPAIRS = 2
"""How often a draft that the configuration refuses is given back with the reasons."""
_N_BEST = 10
"""Conditions that a summary is told of."""


@dataclass(frozen=True, slots=True)
class Assistant:
    """A configured service."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The service that the environment names.

        Raises:
            AssistantNotConfiguredError: it names none, or one on another machine without encryption.
        """
        url, model = environment.get(URL, "").rstrip("/"), environment.get(MODEL, "")
        if not url or not model:
            missing = " and ".join(name for name, value in ((URL, url), (MODEL, model)) if not value)
            raise AssistantNotConfiguredError(
                f"The assistant is not configured: set {missing} (and {KEY}, if the service asks for a key) to use a "
                "language model with OpenAI's chat interface. Everything else works without it."
            )
        parts = urlsplit(url)
        is_here = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
            raise AssistantNotConfiguredError(
                f"{URL}: give an address that begins with https://, or http:// for a service on this machine; "
                "a key and your results would be readable on the way otherwise."
            )
        return cls(url, model, environment.get(KEY) or None)

    def answer(self, messages: list[dict[str, str]]) -> str:
        """What the service says to a conversation.

        Raises:
            AssistantError: it cannot be reached, refused, or its answer cannot be read.
        """
        body = json.dumps({"model": self.model, "messages": messages, "temperature": 0}).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        request = urllib.request.Request(f"{self.url}/chat/completions", body, headers)  # noqa: S310 - scheme checked
        opener = urllib.request.build_opener(_StayHere)
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as response:
                told = response.read(_MAX_ANSWER_BYTES)
        except urllib.error.HTTPError as error:
            error.close()
            raise AssistantError(
                f"The assistant at {URL} refused with HTTP {error.code}. Check {KEY} and {MODEL}, or go on without it."
            ) from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise AssistantError(
                f"The assistant at {URL} cannot be reached ({reason}). Check the address, or go on without it."
            ) from None
        return _text_of(told)


class _StayHere(urllib.request.HTTPRedirectHandler):
    """A key goes to the address that was given and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follows no redirect; the answer counts as an error."""


def draft_campaign(question: str, assistant: Assistant) -> CampaignConfig:
    """A campaign for a question in words, valid as a configuration; a person decides whether it asks what was meant.

    The service is told the question and which settings exist, nothing of the lab.

    Raises:
        AssistantError: the service failed, or no draft was valid; the last refusal is in the message.
    """
    messages = [
        {"role": "system", "content": _DRAFTING + json.dumps(CampaignConfig.model_json_schema())},
        {"role": "user", "content": question},
    ]
    refusal = ""
    for _ in range(1 + _N_REPAIRS):
        said = assistant.answer(messages)
        try:
            return CampaignConfig.from_dict(_yaml_in(said))
        except ConfigError as error:
            refusal = str(error)
        repair = f"The configuration was refused:\n{refusal}\nWrite the whole YAML again, corrected."
        messages += [{"role": "assistant", "content": said}, {"role": "user", "content": repair}]
    raise AssistantError(
        f"The assistant wrote no valid campaign in {1 + _N_REPAIRS} attempts; the last was refused: {refusal} "
        "Ask more precisely, or write the YAML by hand."
    )


def draft_summary(config: CampaignConfig, history: History, summary: CampaignSummary, assistant: Assistant) -> str:
    """A paragraph on what a campaign found, from its numbers; it may be wrong, the numbers beside it are not.

    The service is told the summary and the ten best conditions.

    Raises:
        AssistantError: the service failed.
    """
    best = sorted(score_conditions(config, history), key=lambda each: -each.score.value)[:_N_BEST]
    facts = [f"{label}: {value}" for label, value in summary.rows()]
    told = "\n".join([*facts, "best conditions:", *map(str, best)])
    return assistant.answer([{"role": "system", "content": _SUMMING}, {"role": "user", "content": told}]).strip()


_DRAFTING = (
    "You draft configurations of dose-response campaigns in cell biology. Answer with one YAML document and nothing "
    "else. Use only keys of this JSON schema, leave out what the question does not touch, and invent no compounds or "
    "cell lines that the question does not name or plainly imply. Schema: "
)
_SUMMING = (
    "You summarise a dose-response campaign for a biologist in at most 120 words. Use only the numbers given, name "
    "intervals where there are any, say why the campaign ended, and state what remains uncertain."
)


def _text_of(told: bytes) -> str:
    try:
        text = json.loads(told)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        text = None
    if not isinstance(text, str) or not text.strip():
        raise AssistantError(
            f"The assistant at {URL} gave no answer that can be read. Is it a service with OpenAI's chat interface?"
        )
    return text


def _yaml_in(said: str) -> dict[str, Any]:
    """The YAML mapping of an answer, taken out of a fence of three backticks where there is one."""
    if "```" in said:
        said = said.split("```")[1].removeprefix("yaml").removeprefix("yml")
    try:
        content = yaml.safe_load(said)
    except yaml.YAMLError as error:
        raise ConfigError(f"the answer is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError("the answer is no mapping of keys to values")
    return content
