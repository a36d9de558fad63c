"""`esper library` and `esper keys` as a user meets them."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from conftest import BINARY, needs_esper

pytestmark = needs_esper

BRANCH = """esper-program 1 "mine"
input x: f32[?, 8]
param w: f32[8, 8] normal(0.1)
%0 = aten::linear(x, w, none)
output y: %0
"""


@pytest.fixture
def esper(tmp_path):
    def run(*words, expect=0):
        done = subprocess.run(
            [BINARY, *map(str, words)], cwd=tmp_path, capture_output=True, text=True, timeout=120,
            env=dict(os.environ, ESPER_LIBRARY=str(tmp_path / "library"), OMP_NUM_THREADS="1"))
        assert done.returncode == expect, done.stderr
        return done

    return run


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def database(tmp_path):
    return sqlite3.connect(tmp_path / "library" / "urza.sqlite")


def test_a_fresh_machine_has_the_catalogue_and_keys_of_its_own(esper, tmp_path):
    blueprints = lines(esper("library", "ls", "--json"))
    names = {b["name"] for b in blueprints}
    assert {"conv_block_3x3/image", "low_rank/tokens", "low_rank/vector"} <= names
    assert not any("sham" in name for name in names)
    assert all(b["schema"].startswith("Blueprint/") for b in blueprints)
    assert stat.S_IMODE((tmp_path / "library").stat().st_mode) == 0o700
    keys = lines(esper("keys", "ls", "--json"))
    assert [k["role"] for k in keys] == ["root", "forge", "gauntlet", "library"]
    for key in keys:
        assert key["state"] == "trusted"
        secret = tmp_path / "library" / "keys" / f"{key['id']}.key"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    again = lines(esper("library", "ls", "--json"))
    assert again == blueprints
    shown = esper("library", "show", blueprints[0]["blueprint_id"][:10]).stdout
    assert blueprints[0]["name"] in shown and "esper-program 1" in shown
    assert esper("library", "ls", "--kernels").stdout == ""


def test_adding_a_blueprint_stands_in_the_ledger(esper, tmp_path):
    (tmp_path / "mine.txt").write_text(BRANCH)
    parent = lines(esper("library", "ls", "--json"))[0]["blueprint_id"]
    added = lines(esper("library", "add", "mine.txt", "--parent", parent[:12], "--by", "Ada",
                        "--json"))[0]["id"]
    shown = lines(esper("library", "show", added, "--json"))[0]
    assert shown["name"] == "mine" and shown["parents"] == [parent]
    entry = lines(esper("library", "ledger", "--json"))[-1]
    assert (entry["actor"], entry["action"], entry["subject"]) == ("Ada", "add blueprint", added)
    forbidden = BRANCH.replace("aten::linear(x, w, none)", "aten::save(x)")
    (tmp_path / "bad.txt").write_text(forbidden)
    assert "aten::save" in esper("library", "add", "bad.txt", expect=3).stderr
    assert "no blueprint" in esper("library", "show", "0000000", expect=3).stderr


def test_words_that_name_nothing_are_bad_usage(esper):
    assert "expected the id" in esper("library", "show", "", expect=2).stderr
    assert "--after" in esper("library", "ledger", "--after", "-1", expect=2).stderr


def test_verify_makes_no_library(esper, tmp_path):
    missing = esper("library", "verify", "--library", "typo", expect=3)
    assert "there is no library in typo" in missing.stderr and not (tmp_path / "typo").exists()


def test_a_restore_that_fails_leaves_nothing(esper, tmp_path):
    esper("library", "ls")
    esper("library", "backup", "backup")
    assert "holds no urza.sqlite" in esper("library", "restore", "nope", expect=3).stderr
    with sqlite3.connect(tmp_path / "backup" / "urza.sqlite") as backup:
        backup.execute("UPDATE ledger SET actor = 'nobody' WHERE number = 1")
    broken = esper("library", "restore", "backup", "--library", "new", expect=4)
    assert "entry 1 of the ledger" in broken.stderr and not (tmp_path / "new").exists()
    with sqlite3.connect(tmp_path / "backup" / "urza.sqlite") as backup:
        backup.execute("UPDATE ledger SET actor = 'catalogue' WHERE number = 1")
    # The keys are those of the library that this user uses.
    esper("library", "restore", "backup", "--library", "new")
    head = lines(esper("library", "verify", "--json"))
    assert lines(esper("library", "verify", "--library", "new", "--json")) == head


def test_verify_ends_with_4_and_names_what_was_changed(esper, tmp_path):
    esper("library", "ls")
    head = lines(esper("library", "verify", "--json"))[-1]
    assert head["event"] == "verified"
    with database(tmp_path) as db:
        db.execute("UPDATE blueprint SET record = replace(record, 'catalogue', 'CATALOGUE')")
    wrong = esper("library", "verify", expect=4)
    assert "urza.BadRow" in wrong.stderr and "somebody changed the row" in wrong.stderr
    with database(tmp_path) as db:
        db.execute("UPDATE blueprint SET record = replace(record, 'CATALOGUE', 'catalogue')")
        db.execute("UPDATE ledger SET actor = 'nobody' WHERE number = 3")
    assert "entry 3 of the ledger" in esper("library", "verify", expect=4).stderr
    with database(tmp_path) as db:
        db.execute("UPDATE ledger SET actor = 'catalogue' WHERE number = 3")
    esper("library", "verify", "--head", f"{head['number']}:{head['hash']}")
    seen = f"{head['number'] + 1}:{head['hash']}"
    assert "was seen before" in esper("library", "verify", "--head", seen, expect=4).stderr


@pytest.mark.parametrize("damage", ["DROP TABLE ledger", "DROP TABLE field_run",
                                    "ALTER TABLE kernel RENAME COLUMN status TO state",
                                    "ALTER TABLE blueprint RENAME TO blueprints"])
def test_damaged_tables_end_with_4(esper, tmp_path, damage):
    esper("library", "ls")
    with database(tmp_path) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(damage)
    wrong = esper("library", "verify", expect=4).stderr
    assert "its tables are damaged" in wrong and "restore it from a copy" in wrong
    if "blueprint" in damage:
        assert "its tables are damaged" in esper("library", "ls", expect=4).stderr


def test_keys_rotate_and_are_revoked(esper, tmp_path):
    esper("keys", "init")
    old = next(k["id"] for k in lines(esper("keys", "ls", "--json")) if k["role"] == "forge")
    new = lines(esper("keys", "rotate", "forge", "--json"))[0]["id"]
    rotated = {k["id"]: k for k in lines(esper("keys", "ls", "--json"))}
    assert old in rotated[new]["signed_by"] and rotated[old]["state"] == "trusted"
    esper("keys", "revoke", old)
    states = {k["id"]: k["state"] for k in lines(esper("keys", "ls", "--json"))}
    assert states[old] == "revoked" and states[new] == "trusted"
    esper("keys", "revoke", "0123456789abcdef", expect=2)
    esper("library", "verify", "--head", "foo", expect=2)
    esper("keys", "rotate", "nobody", expect=2)
    ring = tmp_path / "library" / "keys" / "ring"
    content = bytearray(ring.read_bytes())
    content[200] ^= 1
    ring.write_bytes(content)
    assert "keys/ring" in esper("keys", "ls", expect=4).stderr
    assert "keys/ring" in esper("library", "ls", expect=4).stderr


def test_whoever_has_other_keys_reads_and_spoils_nothing(esper, tmp_path, monkeypatch):
    esper("library", "ls")
    (tmp_path / "mine").write_text(BRANCH)
    monkeypatch.setenv("ESPER_KEYS", str(tmp_path / "nothing"))
    refused = esper("library", "ls", expect=3)
    assert "ESPER_KEYS" in refused.stderr and not (tmp_path / "nothing").exists()
    monkeypatch.setenv("ESPER_KEYS", str(tmp_path / "others"))
    monkeypatch.setenv("ESPER_LIBRARY", str(tmp_path / "elsewhere"))
    subprocess.run([BINARY, "library", "ls"], check=True, capture_output=True)
    refused = esper("library", "add", tmp_path / "mine", expect=1)
    assert "can be read only" in refused.stderr and "ESPER_KEYS" in refused.stderr
    monkeypatch.delenv("ESPER_KEYS")
    esper("library", "verify")
    esper("library", "add", tmp_path / "mine")


def test_what_others_wrote_cannot_drive_the_terminal(esper, tmp_path):
    (tmp_path / "mine").write_text(BRANCH)
    added = esper("library", "add", tmp_path / "mine", "--name", "n\x1b]0;x\x07", "--about", "q\x1b[2J")
    shown = esper("library", "show", added.stdout.split()[0]).stdout + esper("library", "ls").stdout
    assert "\x1b" not in shown and "\x07" not in shown and "\\x1b" in shown


def test_the_server_answers_whoever_has_a_token(esper, tmp_path):
    token = lines(esper("token", "add", "Ada", "--role", "curator", "--json"))[0]["token"]
    esper("token", "add", "Ada", expect=3)
    esper("token", "add", "", "--role", "admin", expect=2)
    assert lines(esper("token", "ls", "--json")) == [{"name": "Ada", "role": "curator"}]
    server = subprocess.Popen(
        [BINARY, "urza", "serve", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=dict(os.environ, ESPER_LIBRARY=str(tmp_path / "library")))
    try:
        address = server.stdout.readline().strip()

        def ask(path, headers=None, body=None):
            request = urllib.request.Request(address + path, data=body, headers=headers or {})
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, json.loads(answer.read())
            except urllib.error.HTTPError as refused:
                return refused.code, json.loads(refused.read())

        bearer = {"Authorization": f"Bearer {token}"}
        status, problem = ask("/api/v1/blueprints")
        assert (status, problem["title"]) == (401, "Unauthorized")
        status, page = ask("/api/v1/blueprints?limit=5", bearer)
        assert status == 200 and len(page["items"]) == 5 and page["next"]
        status, problem = ask("/api/v1/blueprints?limit=x", bearer)
        assert status == 400 and problem["error"] == "urza.BadRequest"
        described = ask("/openapi.json")[1]
        assert described["openapi"] == "3.1.0" and "/api/v1/kernels/query" in described["paths"]
        query = {**bearer, "Content-Type": "application/json"}
        assert ask("/api/v1/kernels/query", query, b"{}")[1]["matching_kernels"] == []
        assert ask("/api/v1/kernels/query", query, b'{"tags": 1}')[0] == 422
        assert ask("/ready")[0] == 200
        with urllib.request.urlopen(address + "/metrics", timeout=30) as answer:
            figures = dict(line.split(" ") for line in answer.read().decode().splitlines()
                           if not line.startswith("#"))
        assert figures["esper_urza_readable"] == "1" and figures["esper_urza_writable"] == "1"
        assert float(figures["esper_urza_ledger_entries_total"]) >= 5
        esper("token", "revoke", "Ada")
        assert ask("/api/v1/blueprints", bearer)[0] == 401
    finally:
        server.terminate()
        assert server.wait(timeout=30) == 0


class Served:
    """`esper urza serve`, and a stream of its events."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [BINARY, "urza", "serve", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=dict(os.environ, ESPER_LIBRARY=str(folder / "library")))
        self.address = self.process.stdout.readline().strip()

    def stream(self, token, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return urllib.request.urlopen(urllib.request.Request(
            self.address + "/api/v1/events",
            headers={"Authorization": f"Bearer {token}", "Accept": "text/event-stream", **headers}),
            timeout=30)

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def next_event(stream):
    """The next one as its id and what it says."""
    event = {}
    for line in stream:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if not line.strip() and "data" in event:
            return int(event["id"]), event["event"], json.loads(event["data"])
        event[name] = value
    raise AssertionError("the stream has ended")


def test_a_stream_of_events_goes_on_after_the_servers_end(esper, tmp_path):
    (tmp_path / "mine").write_text(BRANCH)
    events = lines(esper("library", "events", "--json"))
    assert [e["number"] for e in events] == list(range(1, len(events) + 1))
    assert {e["topic"] for e in events} == {"blueprint.submitted"}
    token = lines(esper("token", "add", "Ada", "--role", "researcher", "--json"))[0]["token"]
    server = Served(tmp_path)
    try:
        with server.stream(token) as stream:
            seen = [next_event(stream) for _ in events]
            assert [number for number, _, _ in seen] == [e["number"] for e in events]
            assert seen[0][2]["hash"] == events[0]["hash"]
            esper("library", "add", "mine")  # by another process
            number, topic, said = next_event(stream)
            assert (number, topic) == (len(events) + 1, "blueprint.submitted")
            assert said["actor"] == "a person"
    finally:
        server.end()
    (tmp_path / "mine").write_text(BRANCH.replace("8", "16"))
    esper("library", "add", "mine")
    server = Served(tmp_path)
    try:
        with server.stream(token, Last_Event_ID=str(len(events))) as stream:
            assert [next_event(stream)[0] for _ in range(2)] == [len(events) + 1, len(events) + 2]
    finally:
        server.end()


def test_events_are_followed_until_ctrl_c(esper, tmp_path):
    (tmp_path / "mine").write_text(BRANCH)
    last = lines(esper("library", "events", "--json"))[-1]["number"]
    assert esper("library", "events", "--after", last).stdout == ""
    assert "begin again" in esper("library", "events", "--after", last + 1, expect=3).stderr
    follower = subprocess.Popen(
        [BINARY, "library", "events", "--after", str(last), "--follow", "--json"],
        stdout=subprocess.PIPE, text=True,
        # A shell ignores Ctrl-C for what it starts in the background, and the command inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env=dict(os.environ, ESPER_LIBRARY=str(tmp_path / "library")))
    try:
        added = esper("library", "add", "mine", "--by", "Ada").stdout.strip()
        event = json.loads(follower.stdout.readline())
        assert (event["number"], event["subject"], event["actor"]) == (last + 1, added, "Ada")
        follower.send_signal(signal.SIGINT)
        assert follower.wait(timeout=30) == 130
    finally:
        follower.kill()


def test_ctrl_c_ends_the_server_as_it_ends_the_other_commands(esper, tmp_path):
    server = subprocess.Popen(
        [BINARY, "urza", "serve", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=dict(os.environ, ESPER_LIBRARY=str(tmp_path / "library")))
    try:
        server.stdout.readline()
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=30) == 130
    finally:
        server.kill()


def test_a_library_without_reports_says_so(esper):
    done = esper("library", "reports")
    assert done.stdout == "" and "no run has reported to this library yet" in done.stderr
    assert "a seed of 'low_rank'" in esper("library", "reports", "low_rank").stderr
    assert esper("library", "reports", "--json").stderr == ""
