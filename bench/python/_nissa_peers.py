"""The same runs in MLflow and TensorBoard, as their own servers show them.

Both live in an environment of this benchmark's own, build/peers/nissa (600 MB, a minute or two the
first time). MLflow reads what `esper nissa export --mlflow` wrote, TensorBoard event files with the
same numbers.
"""

import http.client
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

from _report import ROOT

FOLDER = ROOT / "build" / "peers" / "nissa"
RUNNING = set()  # servers that have not been stopped
PACKAGES = ("mlflow>=3,<4", "tensorboard>=2.15,<3", "setuptools<81")


def set_up():
    """Whether both can be run here; makes the environment the first time."""
    python = FOLDER / "bin" / "python"
    found = ("import importlib.util as u, sys; "
             "sys.exit(not all(u.find_spec(m) for m in ('mlflow.server', 'tensorboard')))")
    if python.exists() and subprocess.run([python, "-c", found]).returncode == 0:
        return True
    print(f"making {FOLDER} with MLflow and TensorBoard", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True)
    return subprocess.run([python, "-m", "pip", "install", "--quiet",
                           "--disable-pip-version-check", *PACKAGES]).returncode == 0


def resident_mebibytes(process):
    """Of a process and all that it has started."""
    sum_kib, waiting = 0, [process.pid]
    while waiting:
        pid = waiting.pop()
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            waiting += [int(c) for task in Path(f"/proc/{pid}/task").iterdir()
                        for c in (task / "children").read_text().split()]
        except OSError:
            continue
        sum_kib += int(status.split("VmRSS:")[1].split()[0]) if "VmRSS:" in status else 0
    return sum_kib / 1024


class Peer:
    """A server of somebody else's."""

    def __init__(self, command, port, is_ready, **environment):
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [str(FOLDER / "bin" / command[0]), *map(str, command[1:])], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "PATH": f"{FOLDER / 'bin'}:{os.environ['PATH']}", **environment})
        RUNNING.add(self.process)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        while not self.look(is_ready):
            if self.process.poll() is not None or time.monotonic() - self.began > 600:
                raise SystemExit(f"nissa: {command[0]} did not become ready")
            time.sleep(0.05)
        self.ready_after = time.monotonic() - self.began

    def look(self, is_ready):
        try:
            return is_ready(self)
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            self.connection.close()
            return False

    def json(self, path, body=None):
        self.connection.request("POST" if body else "GET", path, body and json.dumps(body),
                                {"Content-Type": "application/json"} if body else {})
        answer = self.connection.getresponse()
        return json.loads(answer.read())

    def seconds(self, path, body=None):
        begin = time.monotonic()
        if not self.json(path, body):
            raise SystemExit(f"nissa: a peer answered {path} with nothing")
        return time.monotonic() - begin

    def stop(self):
        RUNNING.discard(self.process)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def mlflow_server(store, runs, port):
    def is_ready(peer):
        experiments = peer.json("/api/2.0/mlflow/experiments/search",
                                {"max_results": 10})["experiments"]
        peer.experiment = next(e["experiment_id"] for e in experiments if e["name"] == "esper")
        found = peer.json(*mlflow_list(peer, runs))["runs"]
        peer.ids = {run["info"]["run_name"]: run["info"]["run_id"] for run in found}
        return len(found) == runs

    return Peer(["mlflow", "server", "--backend-store-uri", store, "--host", "127.0.0.1", "--port",
                 port, "--workers", 1], port, is_ready, MLFLOW_ALLOW_FILE_STORE="true")


def mlflow_list(peer, runs):
    return "/api/2.0/mlflow/runs/search", {"experiment_ids": [peer.experiment], "max_results": runs}


def mlflow_chart(peer, run):
    return (f"/api/2.0/mlflow/metrics/get-history?run_id={peer.ids[run]}"
            "&metric_key=val_loss&max_results=25000")


CRC_TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    CRC_TABLE.append(byte)


def masked_crc(data):
    crc = 0xffffffff
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xffffffff
    return (((crc >> 15) | (crc << 17)) + 0xa282ead8) & 0xffffffff


def record(event):
    head = struct.pack("<Q", len(event))
    return head + struct.pack("<I", masked_crc(head)) + event + struct.pack("<I", masked_crc(event))


def varint(value):
    out = b""
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def event_file(text):
    """The rows of a metrics.csv as TensorBoard's event file: TFRecord, Event, Summary."""
    head, *rows = text.splitlines()
    names = [name.encode() for name in head.split(",")]
    parts = [record(b"\x09" + struct.pack("<d", 1e9) + field(3, b"brain.Event:2"))]
    for row in rows:
        values = row.split(",")
        summary = b"".join(field(1, field(1, name) + b"\x15" + struct.pack("<f", float(value)))
                           for name, value in zip(names, values) if name != b"step")
        step = int(values[names.index(b"step")])
        parts.append(record(b"\x09" + struct.pack("<d", 1e9 + step) + b"\x10" + varint(step) +
                            field(5, summary)))
    return b"".join(parts)


def write_events(folder, texts, runs):
    files = [event_file(text) for text in texts]
    for number in range(runs):
        run = folder / f"run-{number:04}"
        run.mkdir(parents=True)
        (run / "events.out.tfevents.1.bench").write_bytes(files[number % len(files)])


def tensorboard(folder, runs, last_step, port):
    """Ready when every run is there with its last point."""
    def is_ready(peer):
        tags = peer.json("/data/plugin/scalars/tags")
        return len(tags) == runs and all(
            peer.json(tensorboard_chart(run))[-1][1] == last_step for run in list(tags)[-3:])

    return Peer(["tensorboard", "--logdir", folder, "--port", port, "--host", "127.0.0.1",
                 "--reload_interval", 1], port, is_ready)


def tensorboard_chart(run):
    return f"/data/plugin/scalars/scalars?run={run}&tag=val_loss"


def export_to_mlflow(binary, folder, runs, store):
    for begin in range(0, runs, 50):
        names = [folder / f"run-{n:04}" for n in range(begin, min(runs, begin + 50))]
        subprocess.run([binary, "nissa", "export", *names, "--mlflow", store], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def clear(folder):
    shutil.rmtree(folder, ignore_errors=True)
