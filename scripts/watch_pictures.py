#!/usr/bin/env python3
"""Takes the pictures of docs/watch.md: the views of one run in the page of `esper watch`.

    .venv-test/bin/python scripts/watch_pictures.py RUNS ID [ID TO COMPARE WITH …] [--at MOMENT]

MOMENT is the place of the slider where the network grows, best one at which a seed is blended in.

Needs Debian's chromium and Playwright in .venv-test, which the set-up installs.
"""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"


def wait_until_ready(address):
    while True:
        try:
            with urllib.request.urlopen(address + "/ready"):
                return
        except urllib.error.HTTPError:
            time.sleep(0.05)


def main():
    words, moment = sys.argv[1:], "5"
    if "--at" in words:
        place = words.index("--at")
        moment = words[place + 1]
        words[place:place + 2] = []
    if len(words) < 2:
        raise SystemExit(__doc__)
    runs, run, others = words[0], words[1], words[2:]
    views = {"runs": "#/", **{view: f"#/run/{quote(run, safe='')}/{view}"
                              for view in ("curves", "growth", "decisions", "costs", "kernels", "text",
                                           "record")}}
    views["growth"] += f"?at={moment}"
    views["library"] = "#/library"
    if others:
        views["compare"] = "#/compare?runs=" + quote(json.dumps([run, *others]))
    PICTURES.mkdir(exist_ok=True)
    server = subprocess.Popen([ROOT / "build/release/bin/esper", "watch", runs, "--port", "0"],
                              stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().strip()
        wait_until_ready(address)
        with sync_playwright() as browsers:
            browser = browsers.chromium.launch(executable_path="/usr/bin/chromium",
                                               args=["--no-sandbox", "--disable-dev-shm-usage"])
            page = browser.new_page(viewport={"width": 1100, "height": 760})
            for name, path in views.items():
                page.goto(f"{address}/{path}")
                page.wait_for_selector(".tile, table")
                page.wait_for_timeout(1500)
                page.screenshot(path=PICTURES / f"{name}.png", full_page=name in ("growth", "costs", "kernels"))
                print(PICTURES / f"{name}.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
