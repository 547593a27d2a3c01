"""What benchmarks/browser.py measures of the control room while another process stores results."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
from playwright.sync_api import Page

N_UPDATES, N_CLICKS, QUIET_S = 12, 9, 10.0
RATE_HZ, MINUTE_S = 5.0, 60.0
SUMMARY = ".cellos-panel .cellos-summary"
SEEN = """text => {
    const shown = [...document.querySelectorAll('.cellos-summary')].map(each => each.innerText).join(' ');
    return shown.includes(text) && Date.now();
}"""
"""When a text stands in the summary, in milliseconds since 1970; false before."""
CLICK = """name => new Promise((done, fail) => {
    const button = [...document.querySelectorAll('button')].find(each => each.innerText.trim() === name);
    const started = performance.now();
    button.click();
    const look = () => {
        if (button.disabled) requestAnimationFrame(() => done(performance.now() - started));
        else if (performance.now() - started > 60000) fail(new Error('nothing came of ' + name));
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
})"""
"""Milliseconds from the click to the frame in which the button says that it was obeyed."""

Add = Callable[[], int]
"""Stores one more iteration of one experiment; how many experiments the campaign then has."""
Row = tuple[str, str, str, str]
"""What, its figure, its spread, its aim."""


def watched(page: Page, add: Add, kernel: psutil.Process) -> list[Row]:
    """Updates one at a time, nothing at all, clicks in between, and a minute at the highest pace."""
    return [_updates(page, add), _quiet(kernel), _clicks(page, add), *_minute(page, add, kernel)]


def spread(figures: list[float], unit: str) -> tuple[str, str]:
    """Median, and lowest to highest."""
    return f"{statistics.median(figures):,.3g} {unit}", f"{min(figures):,.3g} – {max(figures):,.3g}"


def _updates(page: Page, add: Add) -> Row:
    return (
        "an iteration that another process stored is seen after",
        *spread([_seen_after(page, add) for _ in range(N_UPDATES)], "ms"),
        "≤ 300 ms",
    )


def _seen_after(page: Page, add: Add) -> float:
    n = add()
    stored = time.time()
    return page.wait_for_function(SEEN, arg=f"{n:,} experiments done").json_value() - stored * 1e3


def _quiet(kernel: psutil.Process) -> Row:
    before, since = cpu_s(kernel), time.monotonic()
    time.sleep(QUIET_S)
    used = (cpu_s(kernel) - before) / (time.monotonic() - since)
    return "kernel, a second of looking for news without any", f"{used * 1e3:.2g} ms", "", ""


def _clicks(page: Page, add: Add) -> Row:
    with _adding(add):
        taken = [page.evaluate(CLICK, name) for _ in range(N_CLICKS) for name in ("Pause", "Resume")]
    return "click on Pause or Resume, obeyed, at 5 updates a second", *spread(taken, "ms"), "≤ 300 ms"


def _minute(page: Page, add: Add, kernel: psutil.Process) -> list[Row]:
    before, since = cpu_s(kernel), time.monotonic()
    with _adding(add):
        time.sleep(MINUTE_S)
    n_shown = (time.monotonic() - since) * RATE_HZ
    lag = _seen_after(page, add)
    each = (cpu_s(kernel) - before) / n_shown
    return [
        ("after a minute of 5 updates a second, the last is seen after", f"{lag:,.3g} ms", "", "≤ 100 ms"),
        ("kernel, an update shown in that minute", f"{each * 1e3:.2g} ms", "", "≤ 5 ms"),
    ]


@contextmanager
def _adding(add: Add) -> Iterator[None]:
    """Stores at the highest pace meanwhile."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.wait(1.0 / RATE_HZ):
            add()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def cpu_s(process: psutil.Process) -> float:
    """Processor time that a process has used."""
    used = process.cpu_times()
    return used.user + used.system
