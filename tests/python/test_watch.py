"""`esper watch` as a user starts it: on a run that trains, and on one that a stranger made."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest

from conftest import needs_esper
from small_runs import ESPER, GROW, ROOT, TINY, esper, events_of, record_of, write_text

pytestmark = needs_esper


class Page:
    def __init__(self, process, address):
        self.process, self.address = process, address

    def get(self, path, **headers):
        request = urllib.request.Request(self.address + path, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def json(self, path):
        return json.loads(self.get(path))

    def status(self, path, method="GET", **headers):
        request = urllib.request.Request(self.address + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def rows(self):
        return {row["id"]: row for row in self.json("/api/v1/runs")["runs"]}

    def events(self):
        """Yields (kind, data) of the stream."""
        with urllib.request.urlopen(self.address + "/api/v1/events", timeout=120) as stream:
            kind = None
            for line in stream:
                word, _, value = line.decode().rstrip("\n").partition(": ")
                if word == "event":
                    kind = value
                elif word == "data":
                    yield kind, json.loads(value)


@contextlib.contextmanager
def watching(*words, cwd=ROOT, command=("watch",), port="0"):
    process = subprocess.Popen([ESPER, *command, *map(str, words), "--port", port], cwd=cwd,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address), address + process.stderr.read()
        page = Page(process, address)
        until = time.monotonic() + 30
        while page.status("/ready") != 200 and time.monotonic() < until:
            time.sleep(0.02)
        yield page
    finally:
        process.kill()
        process.communicate()


def wait_until(what, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.05)
    return False


HOSTILE = """</script><img src=x onerror="window.owned=1">'"`${1}&lt;"""


def make_hostile(folder):
    """A run with hostile words wherever a run has words."""
    shutil.copytree(ROOT / "tests/fixtures/run-v1", folder)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({
        **record, "name": HOSTILE, "task": HOSTILE, "val_loss": HOSTILE, "seeds": [HOSTILE],
        "kernels": {"unavailable": HOSTILE, "forged": {"ordered": HOSTILE}, "refused": [HOSTILE]},
        "flops": {HOSTILE: 3.0, "training": HOSTILE}, HOSTILE: HOSTILE, "waiting_for": HOSTILE}))
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    for event in events:
        for key, value in list(event.items()):
            if isinstance(value, str) and key not in ("event", "seed", "command", "to"):
                event[key] = HOSTILE
            elif isinstance(value, (dict, list)):
                event[key] = type(value)([(HOSTILE, HOSTILE)] if isinstance(value, dict)
                                         else [{"blueprint": HOSTILE, "anchor": HOSTILE,
                                                "score": HOSTILE}, HOSTILE, None])
    events += [{"event": "sample", "step": 1, "epoch": 0, "when": HOSTILE, "text": HOSTILE},
               {"event": "pictures", "step": 1, "epoch": 0, "when": HOSTILE, "height": 2, "width": 2,
                "channels": 1, "pictures": [HOSTILE, None, 7, {"class": HOSTILE, "taken_for": HOSTILE,
                "why": HOSTILE, "pixels": HOSTILE, "probability": HOSTILE, "loss": HOSTILE}]},
               {"event": "pictures", "step": 1, "epoch": 0, "when": HOSTILE, "height": 10 ** 9,
                "width": 10 ** 9, "channels": 3, "pictures": [{"pixels": "00"}]},
               {"event": "kernel", "step": 1, "epoch": 0, "seed": "s1", "anchor": HOSTILE,
                "blueprint": HOSTILE, "runs": HOSTILE, "why": HOSTILE, "kernel": HOSTILE,
                "refused": [HOSTILE], "gain": 2.0, "gain_low": 1.5, "gain_high": 3.0},
               {"event": "kernel_fault", "step": 1, "epoch": 0, "seed": "s1", "anchor": HOSTILE,
                "blueprint": HOSTILE, "kernel": HOSTILE, "reason": HOSTILE, "evicted": HOSTILE},
               {"event": "fault", "step": 1, "epoch": 0, "seed": "s1", "anchor": HOSTILE,
                "reason": HOSTILE}]
    (folder / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    (folder / "config.yaml").write_text(HOSTILE)
    lines = (folder / "metrics.csv").read_text().splitlines()
    (folder / "metrics.csv").write_text("\n".join(
        [lines[0] + "," + HOSTILE.replace(",", "")] + [line + ",1" for line in lines[1:]]) + "\n")


def test_a_run_is_seen_while_it_trains_and_afterwards(tmp_path):
    (tmp_path / "runs").mkdir()
    heard = []
    with watching(cwd=tmp_path) as page:
        assert page.rows() == {}

        def listen():
            for kind, data in page.events():
                heard.append((kind, data))
                if data.get("row", {}).get("state") == "done":
                    return

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        done = esper("train", *GROW, f"data.path={write_text(tmp_path / 'small.txt')}", "--run",
                     "runs/small", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        listener.join(30)
        assert not listener.is_alive(), heard[-1]
        rows = [row for kind, data in heard if kind == "run" for row in data.get("rows", [])]
        states = [data["row"]["state"] for kind, data in heard if "row" in data]
        assert states[0] == "running" and states[-1] == "done"
        # Each epoch came alone and in order, and is what the file says.
        written = (tmp_path / "runs/small/metrics.csv").read_text().splitlines()[1:]
        assert [row[0] for row in rows] == list(range(1, 17))[-len(rows):] and len(rows) > 8
        assert rows[-1] == pytest.approx([float(x) for x in written[-1].split(",")])
        record = json.loads((tmp_path / "runs/small/run.json").read_text())
        assert page.rows()["small"]["seeds"] == record["seeds"]
        growth = page.json("/api/v1/runs/small/growth")
        assert growth["problems"] == []
        assert len(growth["lives"]) == record["seeds"]["germinated"] > 0
        last = growth["topology"]["edits"][-1]
        assert last["parameters"] == record["parameters"]
        curves = page.json("/api/v1/runs/small/series?metrics=train_loss,val_loss"
                           "&from=&to=")
        assert curves["exact"] and len(curves["x"]) == 16
        assert curves["curves"]["val_loss"][-1] == pytest.approx(record["val_loss"])


def test_the_replayed_network_and_the_page_say_the_same(tmp_path):
    run = Path(shutil.copytree(ROOT / "tests/fixtures/run-v1", tmp_path / "run"))
    with watching(run, command=("nissa", "serve")) as page:
        edits = page.json("/api/v1/runs/run/growth")["topology"]["edits"]
    inspected = json.loads(esper("inspect", run, "--json", cwd=tmp_path).stdout)
    assert edits[-1]["parameters"] == inspected["parameters"]
    assert [(s["seed"], s["anchor"]) for s in edits[-1]["seeds"]] == [
        (s["seed"], s["anchor"]) for s in inspected["seeds"]]


def test_an_action_of_the_page_becomes_an_event_of_the_run(tmp_path):
    run = tmp_path / "run"
    log = tmp_path / "log.jsonl"
    with log.open("w") as out:
        training = subprocess.Popen([ESPER, "train", *GROW, "run.epochs=400", "--json",
                                     f"data.path={write_text(tmp_path / 'small.txt')}",
                                     "--run", run],
                                    cwd=tmp_path, stdout=out, stderr=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: (run / "metrics.csv").exists())
        with watching(run, "--allow-actions") as page:
            link = page.process.stderr.readline().split()[-1]
            token = link.split("#token=")[1]

            def told():
                return [json.loads(line) for line in log.read_text().splitlines()
                        if line.endswith("}")]

            def ask(action, token=token):
                request = urllib.request.Request(
                    page.address + "/api/v1/runs/run/actions", method="POST",
                    data=json.dumps({"action": action}).encode(),
                    headers={"Authorization": f"Bearer {token}"})
                try:
                    with urllib.request.urlopen(request, timeout=30) as answer:
                        return answer.status
                except urllib.error.HTTPError as error:
                    return error.code

            assert ask("pause_growth", "0" * 40) == 401 and ask("") == 400
            assert ask("pause_growth") == 202
            assert wait_until(lambda: page.rows()["run"].get("growth_paused"))
            assert ask("checkpoint") == 202 and ask("rollback") == 202
            assert wait_until(lambda: any(e["event"] == "rollback" for e in events_of(run)))
            # An epoch after it is timed from where it went back to.
            assert wait_until(lambda: re.search("rollback.*epoch", " ".join(
                e["event"] for e in told())))
            assert all(e["examples_per_second"] > 0 for e in told() if e["event"] == "epoch")
            assert ask("stop") == 202
            assert training.wait(60) == 130
            assert wait_until(lambda: page.rows()["run"]["state"] == "stopped")
            assert ask("stop") == 409
    finally:
        training.kill()
    asked = [event for event in events_of(run) if event["event"] == "control"]
    assert [event["action"] for event in asked] == [
        "pause_growth", "checkpoint", "rollback", "stop"]
    assert all(event["outcome"] == "done" and event["by"] == "the page" for event in asked)
    # It stays paused when it goes on.
    paused_at = asked[0]["step"]
    resumed = esper("resume", run, f"run.epochs={record_of(run)['epochs'] + 20}", "-q", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert not [event for event in events_of(run) if event.get("command") == "germinate"
                and event["step"] > paused_at]
    assert esper("replay", run, cwd=tmp_path).returncode == 0


def test_a_shared_link_only_looks_and_is_needed(tmp_path):
    shutil.copytree(ROOT / "tests/fixtures/run-v1", tmp_path / "run")
    with watching(tmp_path, "--share", "8h") as page:
        link = page.process.stderr.readline()
        token = link.split("#token=")[1].strip()
        assert re.search(r"until 20\d\d-\d\d-\d\dT", link)
        assert page.status("/") == 200 and page.status("/health") == 200
        for path in ("/api/v1/runs", "/api/v1/events", "/api/v1/runs/run/growth", "/metrics"):
            assert page.status(path) == 401
            assert page.status(path, Authorization="Bearer " + "0" * 40) == 401
        assert page.status("/api/v1/runs", Authorization=f"Bearer {token}") == 200
        assert page.status(f"/api/v1/runs?token={token}") == 200
        assert page.status("/api/v1/runs/run/actions", "POST",
                           Authorization=f"Bearer {token}") == 403
    for wrong in ("8", "0h", "-1h", "20ep", "400d"):
        refused = esper("watch", tmp_path, "--share", wrong, cwd=tmp_path)
        assert refused.returncode == 2 and "--share" in refused.stderr


def test_the_stream_of_a_shared_link_ends_with_it(tmp_path):
    run = Path(shutil.copytree(ROOT / "tests/fixtures/run-v1", tmp_path / "run"))
    with watching(tmp_path, "--share", "3s") as page:
        token = page.process.stderr.readline().split("#token=")[1].strip()
        with urllib.request.urlopen(f"{page.address}/api/v1/events?token={token}",
                                    timeout=60) as stream:
            assert b"retry" in stream.readline()
            time.sleep(3.2)
            with (run / "events.jsonl").open("a") as events:
                events.write('{"event":"sample","step":1,"epoch":1,"when":"x","text":"late"}\n')
            told = stream.read().decode()  # to its end
        assert "event: run" not in told, told
        assert page.status("/api/v1/runs", Authorization=f"bearer {token}") == 401


def test_a_run_whose_folder_is_moved_ends_and_goes_on_there(tmp_path):
    run = tmp_path / "run"
    training = subprocess.Popen([ESPER, "train", *GROW, "run.epochs=400",
                                 "telemetry.tensorboard=true",
                                 f"data.path={write_text(tmp_path / 'small.txt')}", "--run", run],
                                cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert wait_until(lambda: record_of(run)["epochs"] if (run / "run.json").exists() else 0)
        run.rename(tmp_path / "moved")
        said = training.communicate(timeout=60)[1]
    finally:
        training.kill()
    assert training.returncode == 1 and "was moved or removed" in said, said[-500:]
    assert not run.exists()
    resumed = esper("resume", tmp_path / "moved", "run.epochs=8", "-q", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr


def test_no_page_of_a_stranger_reads_or_changes_anything(tmp_path):
    shutil.copytree(ROOT / "tests/fixtures/run-v1", tmp_path / "run")
    with watching(tmp_path) as page:
        assert page.status("/api/v1/runs") == 200
        assert page.status("/api/v1/runs", Host="evil.example") == 403
        assert page.status("/api/v1/runs", Origin="http://evil.example") == 403
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert page.status("/api/v1/runs/run", method) == 405
        for path in ("/api/v1/runs/..%2F..%2Fetc%2Fpasswd", "/api/v1/runs/run%2F..%2Frun",
                     "/../../etc/passwd", "/api/v1/runs/%00", "/runs/run/run.json"):
            assert page.status(path) in (400, 404)
        port = int(page.address.rsplit(":", 1)[1])
        inside = socket.create_connection(("127.0.0.1", port), 5)
        inside.close()
        # Only this machine reaches it.
        listening = Path("/proc/net/tcp").read_text().splitlines()
        assert any(f"0100007F:{port:04X}" in line for line in listening)
        assert not any(f"00000000:{port:04X}" in line for line in listening)


def test_a_hostile_run_harms_neither_the_page_nor_the_others(tmp_path):
    hostile = '</script><img src=x onerror="alert(1)">'
    shutil.copytree(ROOT / "tests/fixtures/run-v1", tmp_path / "good")
    run = Path(shutil.copytree(ROOT / "tests/fixtures/run-v1", tmp_path / f"bad {hostile[:2]}"))
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "name": hostile, "val_loss": hostile,
                                              "seeds": [hostile], hostile: hostile}))
    (run / "metrics.csv").write_bytes(b"step,val_loss," + hostile.encode() + b",\xff\xfe\n1,2,3,4\n")
    with (run / "events.jsonl").open("a") as events:
        events.write("[" * 100_000 + "\n" + '{"event":"sample","step":1,"epoch":1,"when":"'
                     + "x" * 1_000_000 + '","text":""}\n{"event":')
    os.mkfifo(run / "config.yaml.fifo")
    (run / "config.yaml").unlink()
    os.mkfifo(run / "config.yaml")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "run.json").write_bytes(b"\0" * 5_000_000)
    with watching(tmp_path) as page:
        rows = page.rows()
        assert rows["good"]["state"] == "stopped"
        assert rows["empty"]["state"] == "unreadable"
        name = next(key for key in rows if key.startswith("bad"))
        for what in ("", "/growth", "/series?metrics=val_loss", "/events"):
            page.json(f"/api/v1/runs/{quote(name, safe='')}{what}")
        assert len(page.json("/api/v1/settings")["good"]) > 50
        shutil.rmtree(run)
        until = time.monotonic() + 20
        while name in page.rows() and time.monotonic() < until:
            time.sleep(0.1)
        assert name not in page.rows()
        assert page.process.poll() is None


@pytest.mark.parametrize("sent, code", [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_it_at_once(tmp_path, sent, code):
    with watching(tmp_path) as page:
        stream = page.events()
        assert next(stream)[0] == "hello"
        page.process.send_signal(sent)
        assert page.process.wait(10) == code


def test_what_cannot_be_watched_is_said(tmp_path):
    with watching(tmp_path) as page:
        taken = esper("watch", tmp_path, "--port", page.address.rsplit(":", 1)[1], cwd=tmp_path)
    assert taken.returncode == 1 and "Choose another port" in taken.stderr
    nowhere = esper("watch", tmp_path / "nowhere", cwd=tmp_path)
    assert nowhere.returncode == 2 and "is no folder" in nowhere.stderr
    named = esper("watch", tmp_path, "--host", "some.where", cwd=tmp_path)
    assert named.returncode == 2 and "expected an address in digits" in named.stderr
    bad = esper("watch", tmp_path, "--port", "x", cwd=tmp_path)
    assert bad.returncode == 2
    # A name takes one word, so that what follows is a folder.
    after = esper("watch", "--name", "pc", tmp_path / "nowhere", cwd=tmp_path)
    assert after.returncode == 2 and "nowhere is no folder" in after.stderr


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace (make setup)")
def test_an_empty_share_is_refused_and_what_could_not_be_printed_is_said(tmp_path):
    do = lambda *words, **more: subprocess.run([ESPER, *words], cwd=tmp_path, text=True, timeout=60,
                                               stderr=subprocess.PIPE, **more)
    shared = do("watch", "--share", "", "--port", "0", ".")  # an unset variable of a script
    assert shared.returncode == 2 and "--share takes how long" in shared.stderr
    with open("/dev/full", "w") as full:
        rules = do("watch", "--print-rules", stdout=full)
    assert rules.returncode == 1 and "standard output" in rules.stderr
    audit = do("nissa", "audit", "nope")
    assert audit.returncode == 2 and "not a run's folder" in audit.stderr


def test_watching_takes_no_lock_and_writes_nothing(tmp_path):
    """So the run that is watched never waits for it."""
    run = Path(shutil.copytree(ROOT / "tests/fixtures/run-v1", tmp_path / "runs" / "run"))
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "running"}))
    calls = tmp_path / "calls"
    process = subprocess.Popen(
        ["strace", "-D", "-f", "-o", calls, "-e",
         "trace=flock,fcntl,openat,open,creat,rename,renameat2,unlink,unlinkat,mkdir,truncate,ftruncate",
         Path(ESPER).parent / "esper-nissa", "--port", "0", tmp_path / "runs"],
        stdout=subprocess.PIPE, text=True)
    try:
        page = Page(process, process.stdout.readline().strip())
        assert wait_until(lambda: page.status("/ready") == 200)
        for _ in range(3):
            for path in ("", "/run", "/run/growth", "/run/series?metrics=val_loss", "/run/events"):
                page.json("/api/v1/runs" + path)
            page.get("/metrics")
            with (run / "metrics.csv").open("a") as metrics:
                metrics.write("\n")
            time.sleep(0.3)
    finally:
        process.terminate()
        process.wait(10)
    assert wait_until(lambda: "exited with" in calls.read_text(), 10)
    text = calls.read_text()
    opened = [line for line in text.splitlines() if "open" in line and str(run) in line]
    assert len(opened) > 5 and all("O_RDONLY" in line for line in opened)
    assert not re.search(r"flock\(|F_SETLK|F_OFD_SETLK|F_SETLEASE", text)
    assert not re.search(r"(rename|unlink|mkdir|truncate|creat)\w*\(", text)


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace (make setup)")
def test_a_run_that_is_watched_waits_for_no_lock(tmp_path):
    """The run's own calls, while a page and ten pollers look at it."""
    run, calls = tmp_path / "runs" / "run", tmp_path / "calls"
    run.parent.mkdir()
    training = subprocess.Popen(
        ["strace", "-D", "-f", "--seccomp-bpf", "-T", "-o", calls, "-e", "trace=flock,fcntl",
         ESPER, "train", *GROW, "run.epochs=100000", "checkpoint.every=10ep", "-q",
         f"data.path={write_text(tmp_path / 'small.txt')}", "--run", run],
        cwd=tmp_path, stdout=subprocess.DEVNULL)
    rows = lambda: (run / "metrics.csv").read_text().count("\n")
    try:
        assert wait_until(lambda: (run / "metrics.csv").exists())
        with watching(tmp_path / "runs") as page:
            ends = threading.Event()

            def poll():
                while not ends.is_set():
                    for path in ("", "/run", "/run/growth", "/run/series?metrics=val_loss"):
                        page.json("/api/v1/runs" + path)
                    page.get("/metrics")

            pollers = [threading.Thread(target=poll, daemon=True) for _ in range(10)]
            for poller in pollers:
                poller.start()
            before = rows()
            heard = [event for _, event in zip(range(40), page.events())]
            assert any(kind == "run" for kind, _ in heard)
            assert wait_until(lambda: rows() >= before + 10)
            ends.set()
            for poller in pollers:
                poller.join(10)
    finally:
        training.terminate()
        training.wait(60)
    text = calls.read_text()
    # It took its own lock, once and at once, and asked for no other.
    assert re.findall(r"flock\(\d+<?[^,]*, (.*?)\) += (\S+)", text) == [("LOCK_EX|LOCK_NB", "0")]
    assert not re.search(r"F_(OFD_)?SETLKW?\b|F_SETLEASE", text)


def test_training_alone_opens_no_port(tmp_path):
    """Without --watch nothing listens: no socket of the process is one that does."""
    data = write_text(tmp_path / "small.txt")
    process = subprocess.Popen([ESPER, "train", *TINY, f"data.path={data}", "--run", "run", "-q"],
                               cwd=tmp_path, stdout=subprocess.DEVNULL)
    seen = set()
    while process.poll() is None:
        with contextlib.suppress(OSError):
            for fd in Path(f"/proc/{process.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    seen.add(os.readlink(fd).split(":")[0])
        time.sleep(0.01)
    assert process.returncode == 0
    assert seen and "socket" not in seen


def test_train_watch_shows_the_run_acts_where_it_may_and_ends_with_it(tmp_path):
    data = write_text(tmp_path / "small.txt")
    alone = esper("train", *GROW, f"data.path={data}", "--allow-actions", cwd=tmp_path)
    assert alone.returncode == 2 and "--watch" in alone.stderr
    process = subprocess.Popen([ESPER, "train", *GROW, "run.epochs=1000", f"data.path={data}",
                                "--run", "run", "--watch", "--allow-actions"], cwd=tmp_path,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    address = token = None
    for line in process.stderr:
        if line.startswith("live at "):
            address = line.split()[-1]
        if "#token=" in line:
            token = line.strip().split("#token=")[1]
            break
    page = Page(process, address)
    # The page is up before the run has written its first record.
    assert wait_until(lambda: page.rows().get("run", {}).get("state") == "running")
    asked = urllib.request.Request(address + "/api/v1/runs/run/actions", method="POST",
                                   data=b'{"action": "pause_growth"}',
                                   headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert answer.status == 202
    assert wait_until(lambda: page.rows()["run"].get("growth_paused"))
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    assert process.wait(120) == 130
    assert [e["action"] for e in events_of(tmp_path / "run") if e["event"] == "control"] == [
        "pause_growth"]
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            page.status("/health")
        except (urllib.error.URLError, ConnectionError):
            return
        time.sleep(0.05)
    raise AssertionError("the page outlived the run that it was started with")
