"""Takes the pictures that README and docs show: `uv run python docs/images/make.py`. Needs Chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit("No Chromium found; install it, for example by `apt-get install chromium`.")
    with tempfile.TemporaryDirectory() as folder:
        cellos = [sys.executable, "-c", "from cellos_nb.cli import main; main()"]
        subprocess.run([*cellos, "demo", "--question", "selectivity"], cwd=folder, check=True)
        page = Path(folder) / "records" / "demo-selectivity" / "record.html"
        quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        headless = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/browser",
        ]
        shot = ["--window-size=1000,1900", f"--screenshot={HERE / 'record.png'}", page.as_uri()]
        subprocess.run([browser, *headless, *quiet, *shot], check=True, capture_output=True)
    print(f"wrote {HERE / 'record.png'}")


if __name__ == "__main__":
    main()
