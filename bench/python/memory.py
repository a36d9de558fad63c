#!/usr/bin/env python3
"""Peak memory of training, ours against eager PyTorch: same weights, batch, precision and threads.

    memory.py [--json PATH] [--repeats N] [--server BINARY] [CASE …]

Each side is a process of its own, made anew for every repeat. Counted is what its resident memory
rises at most during five training steps (the kernel's VmHWM, reset before the first), above what it
is once the network and the batch are there: activations, gradients, the optimizer's moments, and
what the libraries keep.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import _peers
import engine
from _intervals import paired_ratio
from _report import ROOT, report, write

STEPS = 5
# An MLP's few MiB are pages of the libraries' code.
CASES = [case for case in engine.CASES
         if case[0] != "mlp" and (case[1] == 128 or case[0] == "gpt")]


def reset_peak(pid):
    """Resident bytes now; the peak counts from here."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return status(pid, "VmRSS")


def status(pid, field):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"memory: the kernel says nothing of {field}")


def serve_peer(host, precision, folder):
    """The peer's process: `ready`, then a loss for every line it reads."""
    import torch
    torch.set_num_threads(os.cpu_count())
    training = _peers.Training(host, precision == "bf16", engine.read_tensors(folder))
    print("ready", flush=True)
    for _ in sys.stdin:
        print(training.step().item(), flush=True)


class Peer:
    def __init__(self, host, precision, folder):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--peer", host, precision, folder], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"memory: the peer did not start for {host}")

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def rise(side):
    """MiB."""
    pid = side.process.pid
    before = reset_peak(pid)
    for _ in range(STEPS):
        side.ask("loss")
    peak = status(pid, "VmHWM") - before
    side.close()
    return peak / 2**20


def measure(server, host, batch, precision, repeats):
    ours, peers = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            case = _peers.case_of(host, folder)
            ours.append(rise(engine.Ours(server, case, batch, precision, os.cpu_count(), folder)))
            peers.append(rise(Peer(host, precision, folder)))
    ratio, low, high = paired_ratio(ours, peers)
    return {"case": f"{host}, batch {batch}, {precision}: peak above the network and the batch",
            "ours": sum(ours) / repeats, "peer": sum(peers) / repeats, "unit": "MiB",
            "ratio": ratio, "ci_low": low, "ci_high": high, "n": repeats,
            "against": "eager PyTorch"}


def main():
    if sys.argv[1:2] == ["--peer"]:
        return serve_peer(*sys.argv[2:5])
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--server", type=Path, help="our side, already built")
    parser.add_argument("cases", nargs="*", help="as 'gpt', 'resnet8'; default: all")
    arguments = parser.parse_args()
    server = arguments.server
    if server is None:
        server = engine.BUILD / "bin" / "bench_engine_server"
        subprocess.run(["ninja", "-C", str(engine.BUILD), "--quiet", server.name], check=True)
    rows = []
    for host, batch, precision in CASES:
        if arguments.cases and host not in arguments.cases:
            continue
        rows.append(measure(str(server), host, batch, precision, arguments.repeats))
        row = rows[-1]
        print(f"{row['case']}: {row['ours']:.1f} against {row['peer']:.1f} MiB, "
              f"{row['ratio']:.2f} [{row['ci_low']:.2f}, {row['ci_high']:.2f}]", flush=True)
    if arguments.json:
        import torch
        write(arguments.json, report("memory", rows, {"torch": torch.__version__}, os.cpu_count()))


if __name__ == "__main__":
    main()
