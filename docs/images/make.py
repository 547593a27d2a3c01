"""Takes the pictures that README and docs show: each panel in both themes, and the record of a campaign.

Needs the dependency group `browser` and a Chromium, on the path or named by `CHROMIUM`:
`uv run --group browser python docs/images/make.py [PANEL …] [--into FOLDER] [--width 480] [--themes light]`.
Without a name, all panels and the record.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from panels import CELLS, THEMES, photograph

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
RECORD = "record"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join([*CELLS, RECORD])}")
    parser.add_argument("--into", type=Path, default=HERE, help="folder of the pictures")
    parser.add_argument("--width", type=int, default=1500, help="of the window, in pixels")
    parser.add_argument("--themes", nargs="+", choices=tuple(THEMES), default=tuple(THEMES))
    given = parser.parse_args()
    wanted = given.names or [*CELLS, RECORD]
    if strange := set(wanted) - {*CELLS, RECORD}:
        parser.error(f"there is no panel {', '.join(sorted(strange))}; possible: {', '.join([*CELLS, RECORD])}")
    given.into.mkdir(parents=True, exist_ok=True)
    if panels := [name for name in wanted if name in CELLS]:
        photograph(given.into, panels, width=given.width, themes=given.themes)
    if RECORD in wanted:
        record(given.into / "record.png")


def record(path: Path) -> None:
    """The page of a campaign's record."""
    browser = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("No Chromium found; install it, for example by `apt-get install chromium`.")
    with tempfile.TemporaryDirectory() as folder:
        cellos = [sys.executable, "-c", "from cellos_nb.cli import main; main()"]
        subprocess.run([*cellos, "demo", "--question", "selectivity"], cwd=folder, check=True)
        page = Path(folder) / "records" / "demo-selectivity" / "record.html"
        quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        headless = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        shot = ["--window-size=1000,1900", f"--screenshot={path}", f"--user-data-dir={folder}/browser", page.as_uri()]
        subprocess.run([browser, *headless, *quiet, *shot], check=True, capture_output=True)
    print(path.name)


if __name__ == "__main__":
    main()
