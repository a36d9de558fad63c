#!/usr/bin/env python3
"""Takes the pictures of docs/watch.md: every view of the page of `esper watch`.

    .venv-test/bin/python scripts/watch_pictures.py
    .venv-test/bin/python scripts/watch_pictures.py RUNS ID [ID TO COMPARE WITH …] [--at MOMENT]

Alone it first trains two small runs that grow, with a library of their own (some minutes). MOMENT is
the place of the slider where the network grows; without it one at which a seed is blended in.

Needs Debian's chromium and Playwright in .venv-test, which the set-up installs.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from time import sleep
from urllib.parse import quote

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
ESPER = ROOT / "build" / "release" / "bin" / "esper"
DEMO = ["run.threads=1", "run.precision=fp32", "run.epochs=40", "run.steps_per_epoch=8",
        "model.depth=2", "model.width=16", "model.heads=2", "model.context=16",
        "data.batch_size=32", "optimization.learning_rate=0.005", "growth.kernels=true",
        "growth.graft_steps=32", "growth.training=1ep", "growth.stabilization=4ba",
        "growth.fine_tune=1ep", "growth.start=0.2", "growth.stop=0.5", "growth.cooldown=0ep",
        "growth.embargo=2ep", "growth.measure_share=100", "growth.gate.min_examples=50",
        "growth.gate.rent=0", "growth.gate.lag=8ba", "controller.policy=heuristic",
        "telemetry.samples=20"]


def wait_until_ready(address):
    while True:
        try:
            with urllib.request.urlopen(address + "/ready"):
                return
        except urllib.error.HTTPError:
            sleep(0.05)


def train_demo(folder):
    """Two runs; the second finds the kernels that the first had compiled. Their folder, their ids."""
    text = folder / "text.txt"
    text.write_text("".join(s.read_text() for s in sorted(ROOT.glob("scripts/*.py")))[:60_000])
    for seed in (0, 1):
        subprocess.run([ESPER, "train", *DEMO, f"run.seed={seed}", f"data.path={text}", "--run",
                        folder / "runs" / f"small-{seed}", "-q"], check=True, cwd=folder)
    return folder / "runs", ["small-1", "small-0"]


def blended_moment(page):
    """Where the slider stands when a seed has just been seen while it was blended in; '' for none."""
    page.wait_for_selector("#panel svg")
    at = page.evaluate("""shown.child.moments.findIndex(moment => moment.edit === "look" &&
        moment.seeds.some(seed => seed.mode === "blended"))""")
    return str(at) if at >= 0 else ""


def take_pictures(runs, ids, moment):
    run, others = quote(ids[0], safe=""), ids[1:]
    views = {"runs": "#/", **{view: f"#/run/{run}/{view}"
                              for view in ("curves", "growth", "decisions", "costs", "kernels",
                                           "text", "record")}, "library": "#/library"}
    if others:
        views["compare"] = "#/compare?runs=" + quote(json.dumps(ids))
    PICTURES.mkdir(exist_ok=True)
    server = subprocess.Popen([ESPER, "watch", runs, "--port", "0"], stdout=subprocess.PIPE,
                              text=True)
    try:
        address = server.stdout.readline().strip()
        wait_until_ready(address)
        with sync_playwright() as browsers:
            browser = browsers.chromium.launch(executable_path="/usr/bin/chromium",
                                               args=["--no-sandbox", "--disable-dev-shm-usage"])
            page = browser.new_page(viewport={"width": 1100, "height": 760})
            for name, path in views.items():
                page.goto(f"{address}/{path}")
                page.wait_for_selector(".tile, table, #view h1")  # an empty library has but words
                page.wait_for_timeout(1500)
                if name == "growth":
                    page.goto(f"{address}/{path}?at={moment or blended_moment(page)}")
                    page.wait_for_timeout(1500)
                page.screenshot(path=PICTURES / f"{name}.png",
                                full_page=name in ("growth", "costs", "kernels"))
                print(PICTURES / f"{name}.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()


def main():
    words, moment = sys.argv[1:], ""
    if "--at" in words:
        place = words.index("--at")
        moment = words[place + 1]
        words[place:place + 2] = []
    if len(words) == 1 or any(word.startswith("-") for word in words):
        raise SystemExit(__doc__)
    if words:
        return take_pictures(words[0], words[1:], moment)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["ESPER_LIBRARY"] = str(Path(scratch) / "library")
        take_pictures(*train_demo(Path(scratch)), moment)


if __name__ == "__main__":
    main()
