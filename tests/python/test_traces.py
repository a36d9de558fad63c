"""`esper nissa trace`: what was decided about a seed, as OpenTelemetry's own readers read it."""

import http.server
import json
import shutil
import subprocess
import threading

import pytest

from conftest import needs_esper
from small_runs import GROW, ROOT, esper, events_of, train, write_text
from test_splits import CLOCK, RUINED

pytestmark = needs_esper

PYTHON = ROOT / ".venv-test" / "bin" / "python"

# OTLP/JSON, and the same as protocol buffers, in which ids are bytes.
READ = """
import base64, json, sys
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.proto_json.trace.v1 import trace as otlp
text = sys.stdin.read()
data = otlp.TracesData.from_json(text)
spans = [(dict((a.key, a.value.string_value) for a in r.resource.attributes)["service.name"],
          s.trace_id.hex(), s.span_id.hex(), (s.parent_span_id or b"").hex(), s.name,
          int(s.start_time_unix_nano), int(s.end_time_unix_nano))
         for r in data.resource_spans for scope in r.scope_spans for s in scope.spans]
def as_bytes(value, key=""):
    if isinstance(value, dict):
        return {k: as_bytes(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [as_bytes(v) for v in value]
    return base64.b64encode(bytes.fromhex(value)).decode() if key.endswith(("traceId", "panId")) \\
        else value
packed = json_format.ParseDict(as_bytes(json.loads(text)), TracesData())
assert sum(len(s.spans) for r in packed.resource_spans for s in r.scope_spans) == len(spans)
print(json.dumps(spans))
"""


def spans_of(text):
    """[(service, trace, span, parent, name, start, end)]"""
    if subprocess.run([PYTHON, "-c", "import opentelemetry.proto_json, opentelemetry.proto"],
                      capture_output=True).returncode:
        pytest.skip("no opentelemetry-proto-json in .venv-test (make setup)")
    done = subprocess.run([PYTHON, "-c", READ], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def assert_a_tree(spans):
    """Of each trace: one root, and every other span's parent is one of it. Returns the traces."""
    traces = {}
    for span in spans:
        traces.setdefault(span[1], []).append(span)
    for own in traces.values():
        ids = {span[2] for span in own}
        assert len(ids) == len(own)
        assert len([span for span in own if not span[3]]) == 1
        assert all(span[3] in ids for span in own if span[3])
        assert all(span[5] <= span[6] for span in own)
    return traces


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces")
    return train(folder, *GROW, "telemetry.event_times=true", data=write_text(folder / "text.txt"))


def trace(run, *words):
    done = esper("nissa", "trace", run, *words, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_decision_is_one_tree_over_the_parts_with_the_ids_of_the_audit(grown):
    traces = assert_a_tree(spans_of(trace(grown)))
    audit = esper("nissa", "audit", grown, "--json", cwd=grown.parent).stdout
    deeds = [json.loads(line) for line in audit.splitlines()]
    named = {deed["subject"].split(" ")[0]: deed["trace"] for deed in deeds if deed["trace"]}
    germinated = [e["seed"] for e in events_of(grown) if e.get("command") == "germinate"]
    assert germinated and set(traces) == {named[seed] for seed in germinated}
    for seed in germinated:
        names = [span[4] for span in traces[named[seed]]]
        services = {span[0] for span in traces[named[seed]]}
        assert {"esper-tolaria", "esper-tamiyo", "esper-kasmina", "esper-urza"} <= services
        assert names[0] == f"seed {seed}" or f"seed {seed}" in names
        for wanted in ("decide: germinate", "DORMANT to GERMINATED", "TRAINING"):
            assert wanted in names
        assert any(name.startswith("boundary at step") for name in names)
        assert any(name.startswith("measure ") for name in names)
    fates = [name for own in traces.values() for *_, name, _, _ in own if name.startswith("fate")]
    assert fates
    only = spans_of(trace(grown, "--seed", germinated[0]))
    assert {span[1] for span in only} == {named[germinated[0]]}


def test_spans_are_as_long_as_the_work_took_where_the_run_noted_it(grown, tmp_path):
    noted = spans_of(trace(grown))
    assert any(span[6] - span[5] > 100_000 for span in noted if span[4].startswith("measure "))
    without = shutil.copytree(grown, tmp_path / "run")
    (without / "event_times.csv").unlink()
    told = spans_of(trace(without))
    assert [span[:5] for span in told] == [span[:5] for span in noted]
    # From the seconds in metrics.csv: right to an epoch.
    longest = max(span[6] for span in noted) - min(span[5] for span in noted)
    assert abs(min(s[5] for s in told) - min(s[5] for s in noted)) < longest


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = tmp_path_factory.mktemp("splits")
    return train(folder, *CLOCK, "telemetry.event_times=true", data=write_text(folder / "text.txt"))


def split_traces(run):
    """{step of the split: its spans}, and the ids that the audit gives the deeds of splits."""
    traces = assert_a_tree(spans_of(trace(run)))
    audit = esper("nissa", "audit", run, "--json", cwd=run.parent).stdout
    deeds = [json.loads(line) for line in audit.splitlines()]
    return traces, [(d["step"], d["what"], d["trace"]) for d in deeds if d["trace"]]


def test_a_split_is_one_tree_from_its_decision_to_its_fate(split):
    traces, deeds = split_traces(split)
    made = [e for e in events_of(split) if e["event"] == "split"]
    assert made and len(traces) == len(made) == len({id for _, _, id in deeds})
    for event in made:
        id = next(id for step, what, id in deeds if (step, what) == (event["step"], "split"))
        kept = next(e for e in events_of(split) if e["event"] == "split_kept"
                    and e["split_step"] == event["step"])
        assert (kept["step"], "split_kept", id) in deeds
        spans = {span[4]: span for span in traces[id]}
        assert spans.keys() == {
            f"split of {event['block']} into {event['copy']}", f"boundary at step {event['step']}",
            "decide: split", "write a checkpoint", "split the block", "watch the training loss",
            "the loss allows it", "fate: KEPT"}
        assert spans["decide: split"][0] == "esper-tamiyo"
        assert spans["split the block"][5] >= spans["write a checkpoint"][6]
        assert spans["split the block"][6] > spans["split the block"][5]
        watched = spans["watch the training loss"]
        assert watched[5] == spans["split the block"][6]
        assert watched[6] == spans["the loss allows it"][6] > watched[5]
        assert spans["fate: KEPT"][6] == watched[6]
    only = spans_of(trace(split, "--block", made[0]["block"]))
    assert {span[1] for span in only} <= set(traces) and only
    nobody = esper("nissa", "trace", split, "--block", "blocks.9", cwd=split.parent)
    assert nobody.returncode == 2 and "no block blocks.9 was split" in nobody.stderr
    both = esper("nissa", "trace", split, "--block", "a", "--seed", "s1", cwd=split.parent)
    assert both.returncode == 2


def test_a_split_that_was_taken_back_says_why(tmp_path):
    run = train(tmp_path, *RUINED, data=write_text(tmp_path / "text.txt"))
    traces, deeds = split_traces(run)
    back = next(e for e in events_of(run) if e["event"] == "rollback")
    id = next(id for step, what, id in deeds if (step, what) == (back["step"], "rollback"))
    names = [span[4] for span in traces[id]]
    assert f"roll back to step {back['to_step']}" in names and "fate: TAKEN_BACK" in names
    assert "the loss allows it" not in names
    told = json.loads(trace(run))
    wrong = [s["status"]["message"] for r in told["resourceSpans"] for scope in r["scopeSpans"]
             for s in scope["spans"] if s["traceId"] == id and s["status"]["code"] == 2]
    assert wrong == [back["reason"]]


def test_they_are_sent_to_a_receiver(grown):
    got = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, self.headers["Content-Type"], body.decode()))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        assert trace(grown, "--to", address) == ""
        trace(grown, "--to", address + "/other")
    finally:
        server.shutdown()
    assert [path for path, *_ in got] == ["/v1/traces", "/other"]
    assert got[0][1] == "application/json" and got[0][2] == trace(grown)


@pytest.mark.parametrize("status, body, code, says", [
    (200, {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "too \x1b[31mold"}}, 1,
     "left 3 spans out: too \\x1b[31mold"),
    (200, {"partialSuccess": {"errorMessage": "slow down"}}, 0, "the receiver says: slow down"),
    (200, {"partialSuccess": {}}, 0, "sent to"),
    (400, "go \x1b]0;away\x07", 1, "\\x1b]0;away"),
    (200, "<html>welcome</html>", 1, "not that of an OTLP/HTTP receiver"),
    (200, "", 0, "sent to"),
])
def test_what_a_receiver_says_is_told(grown, tmp_path, status, body, code, says):
    paths = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode() if isinstance(body, str) else json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        sent = esper("nissa", "trace", grown, "--to",
                     f"http://127.0.0.1:{server.server_port}?key=1", cwd=tmp_path)
    finally:
        server.shutdown()
    assert sent.returncode == code and says in sent.stderr and "\x1b" not in sent.stderr
    assert paths == ["/v1/traces?key=1"]


def test_what_cannot_be_traced_is_said(grown, tmp_path):
    for empty in (["trace", grown, "--seed", ""], ["trace", grown, "--to", ""],
                  ["export", grown, "--mlflow", ""], ["audit", grown, "--who", ""],
                  ["export", grown, "--mlflow", tmp_path / "store", "--experiment", ""]):
        refused = esper("nissa", *empty, cwd=tmp_path)
        assert refused.returncode == 2 and "got an empty one" in refused.stderr
    bogus = esper("nissa", "trase", grown, cwd=tmp_path)
    assert bogus.returncode == 2 and "did you mean 'trace'" in bogus.stderr, bogus.stderr
    none = esper("nissa", "audit", grown, "--what", "nosuch", cwd=tmp_path)
    assert none.returncode == 0 and "what: " in none.stderr and "germinate" in none.stderr
    nobody = esper("nissa", "trace", grown, "--seed", "s999", cwd=tmp_path)
    assert nobody.returncode == 2 and "no seed s999" in nobody.stderr
    nowhere = esper("nissa", "trace", tmp_path, cwd=tmp_path)
    assert nowhere.returncode in (2, 3) and "not a run's folder" in nowhere.stderr
    deaf = esper("nissa", "trace", grown, "--to", "http://127.0.0.1:9", cwd=tmp_path)
    assert deaf.returncode == 1 and "127.0.0.1:9" in deaf.stderr
    over = esper("nissa", "trace", grown, "-o", grown / "events.jsonl", cwd=tmp_path)
    assert over.returncode != 0 and events_of(grown)
