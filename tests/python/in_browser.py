"""What test_watch_page.py does in a browser. Runs under .venv-test, which has Playwright, and prints
one JSON object: what was seen.

    in_browser.py ADDRESS SCENARIO [FOLDER OF THE RUNS]
"""

import json
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import quote

from in_views import VIEWS
from playwright.sync_api import sync_playwright

ROW = "tr[data-id='{}']"


def tile(page, name):
    """The figure of a run's tile; '' where there is none."""
    return page.evaluate("""name => [...document.querySelectorAll('.tile')]
        .find(t => t.lastChild.textContent === name)?.firstChild.textContent || ''""", name)


def until(what, seconds=20):
    """Seconds until `what` became true; null where it did not."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if what():
            return time.monotonic() - began
        time.sleep(0.005)
    return None


def append_row(folder, step, value="1.25"):
    with (Path(folder) / "metrics.csv").open("a") as metrics:
        columns = (Path(folder) / "metrics.csv").read_text().split("\n", 1)[0].split(",")
        metrics.write(",".join({"step": str(step), "epoch": str(step // 6)}.get(c, value)
                               for c in columns) + "\n")


def look(page, address, folder):
    """All runs and the views of one of them."""
    seen = {}
    page.goto(address + "/")
    page.wait_for_selector(ROW.format("v1"))
    seen["rows"] = page.locator("table.runs tbody tr").count()
    for view in VIEWS:
        page.goto(f"{address}/#/run/v1/{view}")
        page.wait_for_selector(".tile")
        until(lambda: len(page.locator("#panel").text_content()) > 20)
    page.goto(f"{address}/#/run/v1/curves")
    page.wait_for_selector("canvas")
    seen["charts"] = page.locator("canvas").count()
    page.goto(f"{address}/#/run/v1/decisions")
    page.wait_for_selector("article.life")
    seen["lives"] = page.locator("article.life").count()
    return seen


def seeds(page, address, folder):
    """How far a seed is blended in, what it gained, and which kernel computes it."""
    page.goto(f"{address}/#/run/blended/growth")
    page.wait_for_selector("table.seeds tbody tr")
    until(lambda: page.locator("#panel output").text_content() != "")
    row = page.locator("table.seeds tr[data-seed='s1']")
    seen = {"alpha": row.locator("svg[aria-label^='α of s1']").get_attribute("aria-label"),
            "gain": row.locator("svg[aria-label^='gain of s1']").get_attribute("aria-label")}
    details = []
    for _ in range(int(page.locator("#panel output").text_content().split(" of ")[1])):
        details.append(page.locator("#panel svg[role=img] text", has_text="α").all_text_contents())
        page.keyboard.press("ArrowLeft")
    seen["details"] = sum(details, [])
    page.goto(f"{address}/#/run/blended/kernels")
    page.wait_for_selector("#panel table")
    until(lambda: "Asking the library" not in page.locator("#panel").inner_text())
    seen["kernels"] = page.locator("#panel").inner_text()
    page.goto(f"{address}/#/run/blended/costs")
    page.wait_for_selector("#panel table")
    seen["costs"] = page.locator("#panel").inner_text()
    page.goto(f"{address}/#/run/blended/text")
    page.wait_for_selector("#panel canvas")
    seen["pictures"] = [canvas.get_attribute("aria-label") for canvas in
                        page.locator("#panel canvas").all()]
    seen["pixel"] = page.evaluate("""[...document.querySelector('#panel canvas').getContext('2d')
        .getImageData(1, 0, 1, 1).data]""")
    seen["texts"] = page.locator("#panel pre").count()
    page.keyboard.press("l")
    page.wait_for_selector("h1:has-text('Library of kernels')")
    until(lambda: "Loading" not in page.locator("#view").inner_text())
    seen["library"] = page.locator("#view").inner_text()
    return seen


def real(page, address, folder):
    """Whoever called begins to train when the line `ready` comes."""
    page.goto(address + "/")
    until(lambda: page.locator("#live").text_content() == "live")
    print("ready", flush=True)
    page.wait_for_selector("table.runs tbody a", timeout=60000)
    page.click("table.runs tbody a")
    page.wait_for_selector("canvas")
    state = lambda: page.locator("h1 .badge").first.text_content()
    seen = {"state": state()}
    page.keyboard.press("2")
    page.wait_for_selector("table.seeds tbody tr")
    during = page.locator("table.seeds tbody tr").count()
    seen["at the end"] = until(lambda: state() == "done", 240)
    lives = lambda: page.locator("table.seeds tbody tr").count()
    seeds = int(tile(page, "seeds germinated"))
    until(lambda: lives() == seeds)
    seen.update(during=during, seeds=lives(), outcomes=sorted(
        page.locator("table.seeds .badge").all_text_contents()))
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    place = lambda: int(page.locator("#panel output").text_content().split(" ")[0])
    before = place()
    page.locator("#panel .player button", has_text="Play").click()
    seen["played"] = until(lambda: place() == before + 3) is not None
    seen["words"] = page.locator("#panel .edit").text_content()
    page.keyboard.press("3")
    page.wait_for_selector("article.life")
    seen["lives"] = page.locator("article.life").count()
    seen["gates"] = page.locator("svg[aria-label=gates]").count()
    return seen


def deep(page, address, folder):
    """Addresses that somebody was sent, each opened in a tab of its own."""
    def opened(path, selector):
        tab = page.context.new_page()
        tab.goto(f"{address}/{path}")
        tab.wait_for_selector(selector)
        return tab
    tab = opened("#/run/v1/growth?at=3", "#panel svg")
    until(lambda: tab.locator("#panel output").text_content() != "")
    seen = {"moment": tab.locator("#panel output").text_content()}
    tab = opened("#/run/v1/curves?x=epoch&smooth=0.5&log=1", "canvas")
    seen["curves"] = [tab.locator("#panel select").input_value(),
                      tab.locator("#panel input[type=range]").input_value(),
                      tab.locator("#panel input[type=checkbox]").is_checked()]
    tab = opened("#/?filter=state%3Dstopped&sort=val_loss&order=falls", ROW.format("v1"))
    seen["list"] = [tab.locator("#filter").input_value(),
                    tab.locator("table.runs tbody tr").count(),
                    tab.locator("th[aria-sort=descending]").text_content()]
    tab = opened("#/?filter=batch_size%3D64+width%3C17", ROW.format("live"))
    seen["by configuration"] = until(lambda: tab.locator("table.runs tbody tr").count() == 1)
    tab = opened("#/", ROW.format("v1"))
    until(lambda: tab.locator("a.bad").text_content() != "")
    tab.click("a.bad")
    until(lambda: tab.locator("table.runs tbody tr").count() == 1)
    seen["alerts"] = [tab.evaluate("location.hash"), tab.locator("a.bad").text_content(),
                      tab.locator("table.runs tbody tr").all_text_contents()]
    tab = opened("#/compare?runs=" + quote(json.dumps(["v1", "live"])), "canvas")
    seen["compared"] = tab.locator("h1").text_content()
    return seen


def share(page, address, folder):
    """`folder` has the token of a link that only looks behind a #."""
    folder, token = folder.split("#")
    page.goto(f"{address}/")
    until(lambda: page.locator("#problem").text_content() != "")
    seen = {"without": page.locator("#problem").text_content(),
            "rows without": page.locator("table.runs tbody tr").count()}
    page.goto(f"{address}/?link#token={token}")
    page.wait_for_selector(ROW.format("live"))
    seen["live"] = until(lambda: page.locator("#live").text_content() == "live")
    page.goto(f"{address}/?link#/run/live/growth")
    page.wait_for_selector("#panel svg")
    seen["buttons"] = page.locator("[data-action]").count()
    seen["act"] = page.evaluate("server.act('live', 'stop').then(() => '', e => e.message)")
    seen["files"] = (Path(folder) / "live" / "control").exists()
    other = page.context.browser.new_context().new_page()
    other.goto(f"{address}/#token={token}/run/live/growth")
    other.wait_for_selector("#panel svg")
    seen["view"] = other.locator("[aria-selected=true]").text_content()
    return seen


def ended(page, address, folder):
    """`folder` has the token of a link that is good for a few seconds behind a #."""
    folder, token = folder.split("#")
    page.goto(f"{address}/#token={token}")
    page.wait_for_selector(ROW.format("live"))
    seen = {"live": until(lambda: page.locator("#live").text_content() == "live")}
    until(lambda: page.evaluate("server.get('api/v1/access').then(() => false, () => true)"))
    append_row(Path(folder) / "live", 10 ** 6)
    seen["ended"] = until(lambda: page.locator("#live").text_content() == "ended")
    seen["problem"] = page.locator("#problem").text_content()
    return seen


def strange(page, address, folder):
    """Addresses that nobody can have been given."""
    seen = {}
    for name, path, selector in (
            ("view", "nosuch", "h1"), ("run's view", "run/live/constructor", "[aria-selected=true]"),
            ("compared", 'compare?runs=["nosuch"]', "h1"), ("none compared", "compare", "h1")):
        page.goto(f"{address}/#/")
        page.wait_for_selector(ROW.format("live"))
        page.goto(f"{address}/#/{path}")
        seen[name] = page.locator(f"#view {selector}").first.text_content()
    page.goto(f"{address}/#/run/timeless/curves?x=seconds")
    until(lambda: "no column" in page.locator("#panel [role=status]").text_content())
    seen["curves over nothing"] = [page.locator("#panel [role=status]").text_content(),
                                   page.locator("canvas").count()]
    page.goto(f"{address}/#/compare?runs=" + quote(json.dumps(["live", "nosuch", "v1"])))
    page.wait_for_selector("canvas")
    seen["compared without"] = page.locator("#view").text_content()[:80]
    return seen


def filters(page, address, folder):
    """The filter as it is typed at the address that `esper watch` prints."""
    page.goto(f"{address}/")
    page.wait_for_selector(ROW.format("live"))
    status = page.locator("#view [role=status]")
    seen = {}
    for words in ("epoch>1", "seeds.germinated>0", "state=stopped FLOPs>1", "nosuch>1", "zzz"):
        page.fill("#filter", words)
        seen[words] = status.text_content()
    page.press("#filter", "Escape")
    seen["after Escape"] = [page.locator("#filter").input_value(), status.text_content()]
    page.fill("#filter", "state=stopped")
    page.reload()
    page.wait_for_selector(ROW.format("v1"))
    seen["after reload"] = [page.locator("#filter").input_value(), status.text_content()]
    return seen


def beside(page, address, folder):
    """The figures of a comparison while one of its runs goes on, and is taken away."""
    page.goto(f"{address}/#/compare?runs=" + quote(json.dumps(["v1", "live"])))
    page.wait_for_selector("canvas")
    steps = lambda: page.locator("#view table").first.text_content()
    before = steps()
    append_row(Path(folder) / "live", 123456)
    seen = {"goes on": until(lambda: steps() != before)}
    shutil.rmtree(Path(folder) / "live")
    seen["gone"] = until(lambda: "There is no run 'live'" in page.locator("#view").text_content())
    seen["left"] = page.locator("h1").text_content()
    return seen


def actions(page, address, folder):
    """`folder` has the token behind a #."""
    folder, token = folder.split("#")
    control = Path(folder) / "live" / "control"
    page.goto(f"{address}/#/run/live/curves")
    page.wait_for_selector("canvas")
    seen = {"without": page.locator("[data-action]").count()}
    page.goto(f"{address}/?again#token={token}")
    page.wait_for_selector(ROW.format("live"))
    seen["address"] = page.evaluate("location.href")
    page.goto(f"{address}/?again#/run/v1/curves")
    page.wait_for_selector(".tile")
    seen["of a run that is over"] = page.locator("[data-action]").count()
    page.goto(f"{address}/?again#/run/live/curves")
    page.wait_for_selector("[data-action=pause_growth]")
    page.click("[data-action=pause_growth]")
    seen["asked"] = until(lambda: control.exists() and list(control.glob("*.json"))) is not None
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.click("[data-action=stop]")
    time.sleep(0.3)
    seen["files"] = [file.read_text() for file in control.glob("*.json")]
    return seen


def live(page, address, folder):
    """Rows that are written while the page shows the run."""
    page.goto(f"{address}/#/run/live/curves")
    page.wait_for_selector("canvas")
    until(lambda: page.locator("#live").text_content() == "live")
    waits = []
    for step in (1006, 1012, 1018, 1024, 1030):
        append_row(Path(folder) / "live", step)
        waits.append(until(lambda: tile(page, "step") == str(step)))
        time.sleep(0.13)
    label = page.locator("[role=img]").first.get_attribute("aria-label")
    return {"waits": waits, "label": label}


def tabs(page, address, folder):
    """Eight tabs of one browser: more than it opens connections to one server."""
    pages = [page] + [page.context.new_page() for _ in range(7)]
    for each in pages:
        each.goto(f"{address}/#/run/live/curves")
        each.wait_for_selector("canvas")
    append_row(Path(folder) / "live", 2004)
    heard = [until(lambda: tile(each, "step") == "2004") for each in pages]
    pages[0].close()  # the one that holds the connection
    append_row(Path(folder) / "live", 2010)
    heard += [until(lambda: tile(each, "step") == "2010") for each in pages[1:]]
    return {"heard": heard, "shown": [(tile(each, "step"), each.locator("#live").text_content())
                                      for each in pages[1:]]}


def overtaken(page, address, folder):
    """A row that is heard while an older list, or older curves, are still on their way."""
    run = Path(folder) / "live"
    answered = []

    def late(step, value):
        def answer(route):
            old = route.fetch()
            append_row(run, step, value)
            page.wait_for_timeout(1500)
            route.fulfill(response=old)
            answered.append(step)
        return answer

    def when_answered(step):
        while step not in answered:
            page.wait_for_timeout(50)
        page.wait_for_timeout(500)

    # A page asks for the list twice: at once, and when it has begun to hear.
    page.route("**/api/v1/runs", lambda route: (
        page.route("**/api/v1/runs", late(2004, "1.5"), times=1), route.continue_()), times=1)
    page.goto(f"{address}/#/run/live/curves")
    page.wait_for_selector("canvas")
    when_answered(2004)
    seen = {"step": tile(page, "step")}
    page.route("**/series?*", late(2010, "1.75"), times=1)
    page.locator("select").select_option("epoch")
    when_answered(2010)
    seen["curves"] = page.locator("[role=img]").first.get_attribute("aria-label")
    return seen


def keyboard(page, address, folder):
    page.goto(address + "/")
    page.wait_for_selector(ROW.format("v1"))
    seen = {}
    page.keyboard.press("/")
    page.keyboard.type("state=stopped")
    seen["filtered"] = page.locator("table.runs tbody tr").count()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tabs")
    page.keyboard.press("2")
    page.wait_for_selector("#panel output")
    until(lambda: page.locator("#panel output").text_content() != "")
    seen["moment"] = page.locator("#panel output").text_content()
    page.keyboard.press("ArrowLeft")
    seen["before"] = page.locator("#panel output").text_content()
    seen["address"] = page.evaluate("location.hash")
    page.keyboard.press("?")
    seen["help"] = page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    seen["theme"] = page.evaluate("document.documentElement.dataset.theme")
    page.keyboard.press("r")
    page.wait_for_selector("#filter")
    for _ in range(2):
        page.keyboard.press("j")
        page.keyboard.press("x")
    page.keyboard.press("c")
    until(lambda: page.locator("canvas").count() > 2)
    seen["compared"] = page.locator("h1").text_content()
    return seen


def phone(page, address, folder):
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark")
    wide = {}
    compared = quote(json.dumps(["v1", "live"]))
    for path in ("", "#/library", f"#/compare?runs={compared}",
                 *(f"#/run/v1/{view}" for view in VIEWS)):
        page.goto(f"{address}/{path}")
        page.wait_for_selector(".tile, table, h1")
        until(lambda: "Loading" not in page.locator("#view").inner_text())
        time.sleep(0.3)
        wide[path] = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return {"wide": wide,
            "ground": page.evaluate("getComputedStyle(document.body).backgroundColor")}


def axe(page, address, folder):
    """What axe-core calls serious or critical, of every view by day, and of two by night."""
    from axe_playwright_python.sync_playwright import Axe
    compared = quote(json.dumps(["v1", "live"]))
    paths = ["#/", "#/library", f"#/compare?runs={compared}", *(f"#/run/v1/{view}" for view in VIEWS)]
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for path in paths if scheme == "light" else (paths[0], "#/run/v1/decisions"):
            page.goto(f"{address}/{path}")
            page.wait_for_selector(".tile, table, h1")
            until(lambda: "Loading" not in page.locator("#view").inner_text())
            for violation in Axe().run(page).response["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    found.append([scheme, path, violation["id"],
                                  [node["html"][:200] for node in violation["nodes"]][:3]])
    return {"found": found, "views": len(paths)}


COUNT_FRAMES = """() => { window.frames = []; (function tick(before) {
    requestAnimationFrame(now => { frames.push(now - before); tick(now); }); })(performance.now()); }"""


def heap_mebibytes(page):
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 2 ** 20


def while_written(page, seconds, write):
    """Frames of the page in milliseconds, sorted, while `write(i)` is called 20 times a second."""
    page.evaluate(COUNT_FRAMES)
    began = time.monotonic()
    for i in range(int(20 * seconds)):
        write(i)
        page.wait_for_timeout(max(1, 1000 * (began + (i + 1) / 20 - time.monotonic())))
    return sorted(page.evaluate("frames"))


def long(page, address, folder):
    """A run of many points, of which more come; `folder` has seconds behind a #."""
    folder, seconds = folder.split("#")
    run = Path(folder) / "live"
    page.goto(f"{address}/#/run/live/curves")
    page.wait_for_selector("canvas")
    until(lambda: page.locator("#live").text_content() == "live")
    last = json.loads((run / "run.json").read_text())["steps"]
    before = heap_mebibytes(page)
    frames = while_written(page, float(seconds), lambda i: append_row(run, last + 6 * (i + 1)))
    end = str(last + 6 * int(20 * float(seconds)))
    return {"frames": frames, "heap": heap_mebibytes(page) - before,
            "seen": until(lambda: tile(page, "step").replace(" ", "") != "" and
                          page.evaluate("server.runs.get('live').steps") == int(end)),
            "points": page.evaluate("shown.child.data.get('live').x.length")}


def two_days(page, address, folder):
    """48 hours, an epoch a minute and 120 seeds, in so many seconds; `folder` has the seconds and the
    number of epochs behind a #."""
    folder, seconds, epochs = folder.split("#")
    run, epochs = Path(folder) / "live", int(epochs)
    columns = (run / "metrics.csv").read_text().split("\n", 1)[0].split(",")
    each = epochs / (20 * float(seconds))

    def write(i):
        rows, events = "", []
        for epoch in range(int(i * each), int((i + 1) * each)):
            at = {"epoch": epoch + 1, "step": 2000 + 10 * epoch}
            rows += ",".join(str({**at, "seconds": 60 * epoch}.get(c, 2 + 1 / (epoch + 1)))
                             for c in columns) + "\n"
            events += [{**at, "event": "health", "slot": slot, "anchor": f"blocks.{slot}", "seed": "",
                        "state": "DORMANT", "samples": 5, "activation_variance": 1.5,
                        "dead_ratio": .1, "gradient_norm": .01} for slot in range(4)]
            events.append({**at, "event": "checkpoint", "kind": "regular", "file": "a"})
            place, seed = epoch % 24, {"seed": f"t{epoch // 24}", "anchor": "blocks.0",
                                       "blueprint": "low_rank", "slot": 0}
            if place in (0, 20):
                events.append({**at, **seed, "event": "decision", "reason": "it is time",
                               "command": "cull" if place else "germinate", "evidence": {},
                               "alternatives": []})
            elif place in (5, 10, 15):
                events.append({**at, **seed, "event": "gate", "stage": "before_graft",
                               "look": place // 5, "verdict": "hold", "examples": 100, "mean": .1,
                               "lower": -.1, "upper": .3, "rent": .05})
        with (run / "metrics.csv").open("a") as metrics:
            metrics.write(rows)
        with (run / "events.jsonl").open("a") as log:
            log.write("".join(json.dumps(event) + "\n" for event in events))

    page.goto(f"{address}/#/run/live/growth")
    page.wait_for_selector("#panel svg")
    until(lambda: page.locator("#live").text_content() == "live")
    before = heap_mebibytes(page)
    frames = while_written(page, float(seconds), write)
    last = f"t{(epochs - 1) // 24}"
    seen = until(lambda: page.locator(f"table.seeds tr[data-seed='{last}']").count() == 1)
    heap = heap_mebibytes(page) - before
    page.goto(f"{address}/#/run/live/decisions")
    page.wait_for_selector("article.life")
    return {"frames": frames, "heap": heap, "seen": seen,
            "lives": page.locator("article.life").count()}


def hostile(page, address, folder):
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.goto(address + "/")
    page.wait_for_selector("table.runs tbody tr")
    links = [a.get_attribute("href") for a in page.locator("table.runs tbody a").all()]
    for link in links:
        for view in VIEWS:
            page.goto(f"{address}/{link}/{view}")
            page.wait_for_selector("h1")
            time.sleep(0.15)
    return {"links": len(links), "images": page.locator("img, iframe, object").count(),
            "owned": page.evaluate("window.owned || null")}


def restart(page, address, folder):
    """Whoever called restarts the server when the line `ready` comes, and answers with a line."""
    page.goto(f"{address}/#/run/live/curves")
    page.wait_for_selector("canvas")
    until(lambda: page.locator("#live").text_content() == "live")
    print("ready", flush=True)
    sys.stdin.readline()
    healed = until(lambda: page.locator("#live").text_content() == "live" and
                   tile(page, "step") == "3000", 60)
    return {"healed": healed}


def main():
    address, scenario = sys.argv[1:3]
    folder = sys.argv[3] if len(sys.argv) > 3 else ""
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path="/usr/bin/chromium",
                                           args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_context().new_page()
        said, foreign = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith((address, "data:"))
                else foreign.append(request.url))
        seen = globals()[scenario](page, address, folder)
        print(json.dumps({**seen, "said": said, "foreign": foreign}))
        browser.close()


if __name__ == "__main__":
    main()
