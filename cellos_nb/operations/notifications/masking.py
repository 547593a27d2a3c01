"""Masking: keeps the passwords and tokens of addresses out of errors and out of other libraries' logs."""

from __future__ import annotations

import ipaddress
import logging
import re
import traceback
from collections.abc import Iterable
from urllib.parse import quote, unquote, unquote_plus

MASK = "****"
LOGGERS = ("apprise", "urllib3.connectionpool", "urllib3.util.retry", "requests_oauthlib.oauth2_session")
"""Who logs about a message on its way, at the debug level with whole addresses."""
SHORTEST = 3
"""Shorter parts of a path or query are versions and numbers, never a token; a password is hidden at any length."""

_DOMAIN = re.compile(r"[a-z0-9-]{1,40}(\.[a-z0-9-]{1,40})+")


def secrets_of(address: str) -> frozenset[str]:
    """All parts of an address that a message to people must not hold, as written and decoded.

    Everything but the kind of service and a host name: which part is a token differs between a hundred services.
    """
    rest = address.partition("://")[2]
    before_query, _, query = rest.partition("?")
    user_info, at, place = before_query.rpartition("@")
    host, _, path = place.partition("/")
    name = host.partition(":")[0] if host.count(":") == 1 else host
    parts = [part for part in re.split(r"[/@:,;#+]", path) if len(part) >= SHORTEST]
    parts += [value for pair in re.split("[&;]", query) if len(value := pair.partition("=")[2]) >= SHORTEST]
    if at:
        parts += [user_info, *user_info.split(":", 1), *re.split(r"[/:@]", user_info)]
    if not _is_host(name):
        parts += [host, *host.split(":")]
    # Whoever prints the path whole prints the parts too.
    written = {part for part in parts if part}
    decoded = {form for part in written for form in (unquote(part), unquote_plus(part))}
    return frozenset(form for form in written | decoded | {quote(part, safe="") for part in decoded} if form)


def without_addresses(text: str) -> str:
    """A text with nothing but the kind left of every address.

    Apprise shows the first and last letter of each token: too much of a short one.
    """
    return re.sub(r"(?<=\w://)\S+", MASK, text)


def masked(text: str, secrets: Iterable[str]) -> str:
    """A text with every secret in it replaced."""
    for secret in sorted(secrets, key=len, reverse=True):
        # A short one, such as the user `me`, is not looked for inside of words.
        pattern = re.escape(secret) if len(secret) > SHORTEST else rf"(?<!\w){re.escape(secret)}(?!\w)"
        text = re.sub(pattern, MASK, text)
    return text


class SecretFilter(logging.Filter):
    """Masks what it was told to in every record that passes."""

    def __init__(self) -> None:
        super().__init__()
        self._secrets: frozenset[str] = frozenset()

    def learn(self, secrets: frozenset[str]) -> None:
        """Adds to what is masked, and stands guard at the loggers that may tell."""
        self._secrets |= secrets
        for name in LOGGERS:
            logging.getLogger(name).addFilter(self)  # does nothing the second time

    def filter(self, record: logging.LogRecord) -> bool:
        """Masks a record and lets it pass."""
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
            record.exc_info = None
        if record.name == "apprise":  # the others serve everybody in this process
            text = without_addresses(text)
        record.msg, record.args, record.exc_text = masked(text, self._secrets), (), None
        return True


GUARD = SecretFilter()
"""The one of this process: a thread that timed out may still log after its sender has gone on."""


def _is_host(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name == "localhost" or _DOMAIN.fullmatch(name) is not None
    return True
