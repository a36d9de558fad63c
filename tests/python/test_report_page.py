"""The report of a stranger's run: nothing that stands in its files is executed or calls home."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import needs_esper

from small_runs import GROW, esper, record_of, train, write_text

pytestmark = needs_esper

HOSTILE = """</script><script>document.title='owned'</script><img src=x onerror="document.title='owned'">'"`${1}&lt;\u2028"""


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grown")
    return train(folder, *GROW, data=write_text(folder / "small.txt"))


@pytest.fixture(scope="module")
def hostile(grown, tmp_path_factory):
    """The run with hostile words in every place that takes words."""
    run = Path(shutil.copytree(grown, tmp_path_factory.mktemp("hostile") / "run"))

    def spoil(value, key=""):
        if isinstance(value, dict):
            return {(k if k in KEPT or key in ("", "seeds") else HOSTILE + k):
                    (v if k in ("event", "command", "program_sha256", "seed") else spoil(v, k))
                    for k, v in value.items()}
        if isinstance(value, list):
            return [spoil(v, "list") for v in value] + [None, HOSTILE, 7]
        return HOSTILE if isinstance(value, str) else value

    KEPT = ("anchor", "blueprint", "score")
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    events += [{"event": "sample", "step": 1, "epoch": 0, "when": HOSTILE, "text": HOSTILE},
               {"event": "fault", "step": 1, "epoch": 0, "seed": "s1", "anchor": HOSTILE,
                "reason": HOSTILE}]
    (run / "events.jsonl").write_text("".join(json.dumps(spoil(e)) + "\n" for e in events))
    record = record_of(run)
    (run / "run.json").write_text(json.dumps({**spoil(record), HOSTILE: HOSTILE,
                                              "waiting_for": HOSTILE}))
    (run / "config.yaml").write_text(HOSTILE)
    page = run.parent / "page.html"
    done = esper("report", run, "-o", page, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    return page.read_text()


class Scripts(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.policy = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"]


def script_of(page):
    return re.search(r"<script>(.*?)</script>", page, re.S).group(1)


def test_the_page_holds_its_own_two_scripts_and_no_more(hostile):
    found = Scripts(hostile)
    assert found.tags.count("script") == 2 and "img" not in found.tags
    assert not [name for name in found.attributes if name.startswith("on")]
    data = hostile.split('id="data">', 1)[1].split("</script>", 1)[0]
    assert "<" not in data and HOSTILE in json.loads(data)["config"]


def test_the_policy_lets_this_script_run_and_nothing_else(hostile):
    policy = dict(part.strip().split(" ", 1) for part in Scripts(hostile).policy.split(";"))
    digest = base64.b64encode(hashlib.sha256(script_of(hostile).encode()).digest()).decode()
    assert policy["script-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == "'none'"
    assert not re.search(r"https?:|url\(|@import|\bimport\(|fetch\(|XMLHttp|eval\(", hostile.replace(
        hostile.split('id="data">', 1)[1].split("</script>", 1)[0], ""))


# Enough of a browser to run the page's script and see what it writes.
STAND_IN = """
const fs = require("fs");
const page = fs.readFileSync(process.argv[2], "utf8");
const pick = start => page.split(start, 2)[1].split("</script>", 1)[0];
const written = [], elements = {};
const element = id => ({id, classList: {add() {}}, style: {}, value: 0, max: 0, selectedIndex: 0,
  addEventListener() {}, setAttribute() {}, removeAttribute() {}, append() {},
  getBoundingClientRect: () => ({left: 0, width: 1}), querySelector: () => element("inner"),
  set innerHTML(html) { written.push(html); }, get innerHTML() { return ""; }});
global.document = {getElementById: id => elements[id] ??= element(id),
                   createElement: () => element("made")};
elements.data = {textContent: pick('id="data">')};
(0, eval)(pick("<script>"));
console.log(JSON.stringify(written));
"""


def written_by(page, tmp_path):
    if not shutil.which("node"):
        pytest.skip("no node to run the page's script with")
    (tmp_path / "stand_in.js").write_text(STAND_IN)
    (tmp_path / "page.html").write_text(page)
    done = subprocess.run(["node", tmp_path / "stand_in.js", tmp_path / "page.html"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_the_script_writes_holds_no_tag_of_the_runs(hostile, tmp_path):
    written = written_by(hostile, tmp_path)
    assert any("owned" in html for html in written), "the words are shown"
    for html in written:
        found = Scripts(html)
        assert not {"script", "img", "iframe", "a"} & set(found.tags), html[:300]
        assert not [name for name in found.attributes if name.startswith("on")], html[:300]


def test_the_page_shows_configuration_test_loss_rate_and_time(grown, tmp_path):
    page = (grown / "report.html").read_text()
    written = "".join(written_by(page, tmp_path))
    for words in ("test loss (best checkpoint, step", "Learning rate", "validation loss, best",
                  ">epoch</text>", "<option>time</option>", "Examples trained in a second"):
        assert words in written, words
    data = json.loads(page.split('id="data">', 1)[1].split("</script>", 1)[0])
    assert data["config"] == (grown / "config.yaml").read_text()
    assert "forgery" in page


def test_a_browser_executes_nothing_of_it(hostile, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no browser here")
    (tmp_path / "page.html").write_text(hostile)
    shown = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                            f"file://{tmp_path}/page.html"], capture_output=True, text=True,
                           timeout=120).stdout
    assert "<title>owned" not in shown
    assert 'class="card life"' in shown, "the page's own script ran"
