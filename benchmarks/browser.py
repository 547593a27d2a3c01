"""How fast the panels are in the real JupyterLab in Chromium, and their charts beside plotly's FigureWidget.

Needs the dependency group `browser`, a Chromium (on the path, or named by `CHROMIUM`), and uv, which installs plotly
into a temporary folder: `uv run --group browser python benchmarks/browser.py [--write]`. `--write` puts
the table into docs/benchmarks.md. Nothing here is a test: no figure makes the run fail.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from importlib.metadata import version
from pathlib import Path

import nbformat
import numpy as np
import psutil
from browser_charts import SIZES as CHARTS
from browser_live import watched
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import TimeoutError as TooLate

from cellos_nb import CampaignConfig, ExperimentProposal, ExperimentResult, Lab
from cellos_nb.domain.result import ResultStatus, WellResult
from cellos_nb.panels.tabs import BUILT_IN

PLOTLY = "plotly==6.*"
TOKEN = "benchmark"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--enable-precise-memory-info"]
SIZES = (1_000, 10_000, 100_000)
TITLES = ("Live campaign",)
"""What the control room opens at; the other tabs are made when they are looked at."""
TABS = {
    "Doses": "Dose response",
    "Compare": "Comparison",
    "Plates": "Plates",
    "Table": "Results",
    "Why": "Why this dose",
    "Autonomy": "Autonomy",
    "Bench": "Bench",
    "Calendar": "Calendar",
}
AIMS = {1_000: "< 2 s", 100_000: "< 4 s"}
MAX_MS = 90_000
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- browser: begin -->", "<!-- browser: end -->"
WORDS = """\
Printed by `uv run --group browser python benchmarks/browser.py --write` on {today}, on a shared machine with 2 \
cores that page, kernel and server share with others: read the ratios. "First paint" is from the key that runs a \
cell in a new kernel, whose imports stand in the cell before as in the shipped notebook, to the frame that shows the \
numbers. "Seen" is from the commit of another process to the frame that shows it. Charts are drawn by the \
panels' own figures, which get what the panels' models make of the numbers (at most 600 dots of a trajectory, 300 of \
a campaign, 1,000 of a front); plotly's `FigureWidget` gets all of them. Each chart in a new kernel; a click is drawn \
when the frame with the last change to lines, areas, dots or cells has been painted."""
SETTLED = """titles => {
    const shown = [...document.querySelectorAll('.cellos-panel')];
    const ready = shown.filter(panel => !panel.innerText.includes('Reading …')).map(
        panel => panel.querySelector('h3')?.innerText);
    if (!titles.every(title => ready.includes(title))) return false;
    window.readyAt ??= performance.now();
    return performance.now() - window.readyAt > 300 && window.readyAt - window.startedAt;
}"""
"""Milliseconds from the key that ran the cell to the frame in which every panel stood, seen 0.3 s later."""
CHARTS_MODULE = Path(__file__).with_name("browser_charts.py")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    figure: str
    spread: str = ""
    aim: str = ""


def config() -> CampaignConfig:
    return CampaignConfig(
        name="large",
        cell_lines=[f"line {i}" for i in range(10)],
        compounds=[f"compound {i}" for i in range(500)],
        dose_range_um=[0.001, 10],
        n_doses=24,
        objective="minimise",
        batch_size=20_000,
        max_iterations=60,
        planner="random",
        seed=1,
    )


def fill(path: Path, n: int) -> None:
    """A database with so many results of one campaign, one well each, ten iterations."""
    asked, rng = config(), np.random.default_rng(1)
    conditions = [
        (line, name, dose)
        for line in asked.cell_lines
        for name in asked.compound_names[: max(n // 200, 4)]
        for dose in asked.doses_um(name)
    ]
    order = rng.permutation(len(conditions))[:n]
    with Lab.open(path) as lab:
        campaign = lab.store.add_campaign(asked)
        for k, part in enumerate(np.array_split(order, 10), 1):
            add_iteration(lab, campaign, k, [conditions[i] for i in part], rng)


def add_iteration(lab: Lab, campaign: str, k: int, conditions: list[tuple[str, str, float]], rng) -> None:
    proposals = [ExperimentProposal(*each, "viability", f"i{k:03d}-e{j:05d}") for j, each in enumerate(conditions)]
    lab.store.add_iteration(campaign, k, proposals)
    results = []
    for j, proposal in enumerate(proposals):
        value = float(1 / (1 + (proposal.dose_um / 0.3) ** 1.2) + rng.normal(0, 0.05))
        well = WellResult(f"{campaign}/i{k:03d}-p{j // 80 + 1}", f"{'ABCDEFGH'[j % 8]}{j // 8 % 12 + 1}", 1, 1e6, value)
        results.append(
            ExperimentResult(proposal, ResultStatus.OK, value, 0.05, 60, value, (well,), (), None, k, None, None, 1.0)
        )
    lab.store.add_results(campaign, k, results)


def notebook(folder: Path, name: str, *cells: str) -> str:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
    nbformat.write(made, folder / f"{name}.ipynb")
    return name


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab whose kernels have plotly besides what this environment has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "ServerApp.port": port,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "ServerApp.root_dir": folder,
        "IdentityProvider.token": TOKEN,
        "LabApp.user_settings_dir": folder / "settings",
    }
    # In a folder of its own: an overlay by `uv run --with` would hide this environment's JupyterLab extensions.
    subprocess.run(["uv", "pip", "install", "--quiet", "--target", folder / "plotly", PLOTLY], check=True)
    places = {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": str(folder / "plotly"),
    }
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab"),
            *(f"--{key}={value}" for key, value in options.items()),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | places,
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={TOKEN}").close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def opened(browser: Browser, url: str, name: str) -> Iterator[Page]:
    """A notebook whose kernel is ready, its imports done, in a page of its own; the kernel ends with it."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(MAX_MS)
    try:
        page.goto(f"{url}/lab/workspaces/{name}/tree/{name}.ipynb?reset&token={TOKEN}")
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.evaluate("""addEventListener('keydown', event => {
            if (event.ctrlKey && event.key === 'Enter') { startedAt = performance.now(); readyAt = undefined; }
        }, true)""")
        run_cell(page, 0)
        page.locator(".jp-OutputArea-output").first.wait_for()
        yield page
    finally:
        page.close()
        for each in get(url, "/api/kernels"):
            ask = urllib.request.Request(f"{url}/api/kernels/{each['id']}?token={TOKEN}", method="DELETE")
            urllib.request.urlopen(ask).close()


def get(url: str, path: str) -> list[dict[str, str]]:
    with urllib.request.urlopen(f"{url}{path}?token={TOKEN}") as answer:
        return json.load(answer)


def run_cell(page: Page, number: int) -> None:
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").nth(number).click()
    page.keyboard.press("Control+Enter")


def first_paint(page: Page, titles: tuple[str, ...]) -> str:
    run_cell(page, 1)
    try:
        return f"{page.wait_for_function(SETTLED, arg=list(titles)).json_value() / 1e3:.2g} s"
    except TooLate:
        return f"more than {MAX_MS / 1e3:.0f} s"


def heap_mb(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 1e6


IMPORTS = "from cellos_nb.panels import *\nimport os\nControlRoom\nprint(os.getpid())"


def panels(browser: Browser, url: str, folder: Path, sizes: Sequence[int]) -> list[Row]:
    rows = []
    for n in sizes:
        path = folder / f"lab{n}.db"
        fill(path, n)
        made = notebook(folder, f"all{n}", IMPORTS, f"ControlRoom('lab{n}.db')")
        with opened(browser, url, made) as page:
            imported = page.evaluate("performance.now() - startedAt") / 1e3
            heap = heap_mb(page)
            painted = first_paint(page, TITLES)
            rows.append(Row(f"control room of {n:,} results, first paint", painted, aim=AIMS.get(n, "")))
            rows.append(Row("its imports, in the cell before", f"{imported:.2g} s"))
            if n == sizes[0]:
                pid = int(page.locator(".jp-OutputArea-output").first.inner_text())
                rows += live(page, path, psutil.Process(pid), n)
            rows += [Row(f"{tab}, first look, {n:,} results", look_at(page, tab, TABS[tab])) for tab in TABS]
            aim = "≤ 80 MB" if n == sizes[0] else ""
            rows.append(Row(f"page heap, all tabs looked at, {n:,} results", f"{heap_mb(page) - heap:.3g} MB", aim=aim))
        print(table(["panels", "median", "min – max", "aim"], [[*astuple(row)] for row in rows]), flush=True)
    return rows


def live(page: Page, path: Path, kernel: psutil.Process, n: int) -> list[Row]:
    rng, numbers = np.random.default_rng(2), itertools.count(1)
    with Lab.open(path) as lab:
        campaign = lab.store.campaign_ids()[-1]

        def add() -> int:
            k = next(numbers)
            add_iteration(lab, campaign, 10 + k, [("line 9", f"compound {300 + k % 200}", 1.0)], rng)
            return n + k

        return [Row(*row) for row in watched(page, add, kernel)]


def look_at(page: Page, tab: str, title: str) -> str:
    group = next(each.group for each in BUILT_IN if each.name == tab)
    bar = page.locator(".jp-OutputArea .lm-TabBar-tab:visible")
    bar.get_by_text(group, exact=True).first.click()
    page.evaluate("startedAt = performance.now(); readyAt = undefined")
    bar.get_by_text(tab, exact=True).first.click()
    try:
        return f"{page.wait_for_function(SETTLED, arg=[title]).json_value() / 1e3:.2g} s"
    except TooLate:
        return f"more than {MAX_MS / 1e3:.0f} s"


def charts(browser: Browser, url: str, folder: Path) -> list[list[str]]:
    """Click to drawn, ours and plotly's in turn, on the same numbers."""
    shutil.copy(CHARTS_MODULE, folder / CHARTS_MODULE.name)
    rows = []
    for kind, n in CHARTS:
        figures = []
        for library in ("ours", "plotly"):
            made = notebook(
                folder,
                f"{kind}{n}{library}".replace(" ", ""),
                f"from browser_charts import chart\nshown = chart({library!r}, {kind!r}, {n})\nprint('ready')",
                "shown",
            )
            with opened(browser, url, made) as page:
                run_cell(page, 1)
                first = page.wait_for_function(
                    f"parts => ({DRAWN})(parts) && performance.now() - startedAt", arg=PARTS
                ).json_value()
                page.wait_for_timeout(1500)
                page.evaluate(CLICK_NEXT, PARTS)
                figures.append((first, [page.evaluate(CLICK_NEXT, PARTS) for _ in range(7)]))
        ours, plotly = (statistics.median(laps) for _, laps in figures)
        rows.append(
            [
                f"{kind}, {n:,}",
                *(f"{first:,.0f} ms" for first, _ in figures),
                *(f"{statistics.median(laps):,.0f} ms ({min(laps):,.0f} – {max(laps):,.0f})" for _, laps in figures),
                f"{plotly / ours:.1f} ×",
            ]
        )
        print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    return rows


PARTS = (
    ".bqplot path.line, .bqplot path.curve, .bqplot g.object_grp, .bqplot path.element, "
    ".cellos-chart path, [data-cell], "
    ".js-plotly-plot .trace path, .js-plotly-plot .hm image"
)
"""The elements that are drawn of the data, whichever library drew them."""
DRAWN = """parts => [...document.querySelectorAll(parts)].some(part =>
    ['d', 'transform', 'href', 'xlink:href', 'aria-label'].some(name => part.getAttribute(name)))"""
CLICK_NEXT = """parts => new Promise((done, fail) => {
    const isOfData = node => node.nodeType === 1 && (node.matches(parts) || node.querySelector(parts));
    const names = ['d', 'transform', 'href', 'aria-label'];
    const late = setTimeout(() => fail(new Error('nothing new was drawn')), 60000);
    let [painted, over] = [0, 0];
    const seen = new MutationObserver(changes => {
        if (!changes.some(({ target, type, addedNodes, attributeName }) => type === 'childList'
            ? [...addedNodes].some(isOfData) : names.includes(attributeName) && target.matches(parts))) return;
        clearTimeout(late);
        requestAnimationFrame(() => setTimeout(() => {
            painted = performance.now() - started;
            clearTimeout(over);
            over = setTimeout(() => { seen.disconnect(); done(painted); }, 300);
        }));
    });
    // No filter: it would pass over xlink:href, which has a namespace.
    seen.observe(document.querySelector('.jp-OutputArea-output .widget-vbox'),
        { subtree: true, childList: true, attributes: true });
    const started = performance.now();
    [...document.querySelectorAll('button')].find(each => each.innerText.trim() === 'next').click();
})"""
"""Milliseconds from the click until the frame with the last change to those elements was painted: 0.3 s without one."""


def table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put what was measured into docs/benchmarks.md")
    parser.add_argument("--only", choices=("panels", "charts"), help="one part alone; the page keeps the other")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="results in the database of the panels")
    given = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as play, jupyterlab(Path(name)) as url:
        browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
        found["where"] = (
            f"Python {platform.python_version()}, Chromium {browser.version}, {os.cpu_count()} cores, "
            + ", ".join(f"{each} {version(each)}" for each in ("jupyterlab", "ipywidgets", "bqplot"))
            + f", {PLOTLY}"
        )
        print(found["where"], flush=True)
        if given.only != "charts":
            rows = panels(browser, url, Path(name), given.sizes)
            head = ["panels", "median", "min – max", "aim"]
            found["panels"] = table(head, [[r.what, r.figure, r.spread, r.aim] for r in rows])
            print(found["panels"], flush=True)
        if given.only != "panels":
            head = ["chart, points or cells", "first: ours", "plotly", "click to drawn: ours", "plotly", "faster"]
            found["chart,"] = table(head, charts(browser, url, Path(name)))
            print(found["chart,"], flush=True)
        browser.close()
    if given.write:
        write(found)


def write(found: dict[str, str]) -> None:
    """Puts tables into the page in place of those that begin alike; `where` comes first."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END) if rest else ("", "", "\n")
    if not rest:
        before = before.rstrip("\n") + "\n\n"
    kept = {
        name: part for part in old.strip("`\n").split("\n\n") for name in ("panels", "chart,") if part.startswith(name)
    }
    tables = "\n\n".join(part for name in ("where", "panels", "chart,") if (part := (kept | found).get(name)))
    today = dt.datetime.now(dt.UTC).date()
    words = f"""{BEGIN}

## In the browser

{WORDS.format(today=today)}

```
{tables}
```

{END}"""
    PAGE.write_text(before + words + after, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
