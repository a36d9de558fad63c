"""Looking at a stranger's files executes nothing: Programs, journals, checkpoints, runs."""

import hashlib
import json
import resource
import struct
import subprocess

import pytest
from conftest import ESPER, ROOT, needs_esper

pytestmark = needs_esper

HOSTILE = """esper-program 1 "ff"
input x: i64[?, 16]
param w: f32[94, 16] normal(0.02)
param h.weight: f32[94, 16] normal(0.02)
%0 = aten::embedding(w, x, -1, false, false)
%1 = aten::from_file("NAME", true, 16, f32, none, none, none)
%2 = aten::fill_.Scalar(%1, 1.0)
%3 = aten::add.Tensor(%0, %2, 1)
%4 = aten::linear(%3, h.weight, none) @ h
output logits: %4
"""
TINY = ["run.threads=1", "run.epochs=1", "run.steps_per_epoch=2", "data.workers=0",
        "model.width=16", "model.heads=2", "model.context=16", "data.batch_size=8",
        f"data.path={ROOT / 'data' / 'tinyshakespeare.txt'}", "run.precision=fp32"]


def esper(folder, *arguments, memory=None):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return subprocess.run([ESPER, *map(str, arguments)], cwd=folder, capture_output=True,
                          text=True, timeout=60, preexec_fn=limit if memory else None)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("looking") / "run"
    made = esper(folder.parent, "train", *TINY, "--run", folder)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def victims(tmp_path):
    (tmp_path / "victim.txt").write_bytes(b"x" * 70)
    yield ["victim.txt", "new.bin"]
    assert (tmp_path / "victim.txt").read_bytes() == b"x" * 70
    assert not (tmp_path / "new.bin").exists()


def refused(done):
    assert done.returncode == 3, (done.returncode, done.stderr)
    assert "aten::from_file" in done.stderr


def field(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def chained(entry):
    """The line of a journal, its hash by the recipe of docs/program.md."""
    entry.pop("hash", None)
    body = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    entry["hash"] = hashlib.sha256(field(entry["previous"]) + field(body)).hexdigest()
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def copy_of(run, folder):
    subprocess.run(["cp", "-r", run, folder], check=True)
    return folder


def test_a_program_is_refused_by_every_command(tmp_path, victims):
    for name in victims:
        (tmp_path / "p.prog").write_text(HOSTILE.replace("NAME", name))
        refused(esper(tmp_path, "inspect", "p.prog"))
        for command in (["--dry-run"], ["--run", "out"]):
            done = esper(tmp_path, "train", *command, "model.path=p.prog")
            assert done.returncode in (2, 3) and "aten::from_file" in done.stderr, done.stderr


def test_a_journals_first_program_is_refused(tmp_path, run, victims):
    for name in victims:
        forged = copy_of(run, tmp_path / f"run-{name}")
        first = json.loads((forged / "journal.jsonl").read_text().splitlines()[0])
        first["initial"] = HOSTILE.replace("NAME", name)
        (forged / "journal.jsonl").write_text(chained(first))
        for command in ("report", "replay"):
            assert esper(tmp_path, command, forged).returncode in (3, 4)
        esper(tmp_path, "inspect", forged)
        esper(tmp_path, "train", "--dry-run", f"model.path={forged}")


def test_a_checkpoints_program_is_refused(tmp_path, run, victims):
    source = next((run / "checkpoints").glob("last*"))
    if len(source.read_bytes()) < 100:  # names the newest step
        source = sorted((run / "checkpoints").glob("*.ckpt"))[-1]
    whole = source.read_bytes()
    assert whole[:8] == b"ESPRCKPT"
    payload = whole[20:-32]
    length = struct.unpack("<Q", payload[:8])[0]
    header = json.loads(payload[8:8 + length])
    tensors = payload[-(-(8 + length) // 64) * 64:]
    for name in victims:
        text = header["state"]["program"]
        at = text.index("\noutput ")
        header["state"]["program"] = (
            text[:at] + f'\n%999999 = aten::from_file("{name}", true, 16, f32, none, none, none)'
            "\n%1000000 = aten::fill_.Scalar(%999999, 1.0)" + text[at:])
        body = json.dumps(header).encode()
        forged = struct.pack("<Q", len(body)) + body
        forged += b"\0" * (-len(forged) % 64) + tensors
        head = whole[:12] + struct.pack("<Q", len(forged))
        (tmp_path / "f.ckpt").write_bytes(
            head + forged + hashlib.sha256(head + forged).digest())
        refused(esper(tmp_path, "inspect", "f.ckpt"))
        header["state"]["program"] = text


def test_a_large_result_takes_no_memory(tmp_path):
    (tmp_path / "p.prog").write_text(
        'esper-program 1 "p"\ninput x: f32[?, 4]\n'
        "%0 = aten::ones([8000000000], f32, none, none, none)\n%1 = aten::relu(%0)\n"
        "output y: %1\n")
    done = esper(tmp_path, "inspect", "p.prog", memory=8 << 30)
    assert done.returncode == 0, done.stderr


def test_a_long_program_is_read_within_seconds(tmp_path):
    lines = ['esper-program 1 "p"', "input x: f32[?, 4]", "%0 = aten::relu(x)"]
    lines += [f"%{i} = aten::relu(%{i - 1})" for i in range(1, 100_000)]
    (tmp_path / "p.prog").write_text("\n".join(lines) + "\noutput y: %99999\n")
    done = esper(tmp_path, "inspect", "p.prog")
    assert done.returncode == 0 and "100000  aten::relu" in done.stdout, done.stderr
