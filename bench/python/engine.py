#!/usr/bin/env python3
"""A whole training step (forward, loss, backward, optimizer) of ours against eager PyTorch in a
Python loop at its best setting: same weights, batch, precision, layout and threads.

    engine.py [--json PATH] [--threads N] [--seconds S] [--server BINARY] [CASE …]

Ours runs in a process of its own (bench/engine/engine_server.cpp); the two take turns, a block of
steps each, so that both meet the same noise. Before a case is timed, the losses of the first steps
must agree: the same network is trained in the same way.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import torch

import _paired
import _peers

BUILD = _paired.ROOT / "build" / "release"
CASES = [(host, batch, precision)
         for host, batches in (("mlp", (16, 128)), ("resnet8", (32, 128)),
                               ("resnet20", (32, 128)), ("vgg11", (32, 128)),
                               ("wrn16-2", (32, 128)), ("gpt", (32,)), ("vit", (32,)))
         for batch in batches for precision in ("fp32", "bf16")]
# Of a block of steps: long against a switch of processes, short against the machine's moods.
BLOCK_NS = 40e6


class Ours:
    def __init__(self, binary, host, batch, precision, threads, folder):
        self.process = subprocess.Popen(
            [binary, host, str(batch), precision, str(threads), folder], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{binary} did not start for {host}")

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"our side ended at '{command}'")
        return float(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def read_tensors(folder):
    data = (Path(folder) / "tensors.bin").read_bytes()
    tensors, at = {}, 0
    for entry in json.loads((Path(folder) / "tensors.json").read_text()):
        kind = numpy.int64 if entry["integers"] else numpy.float32
        count = int(numpy.prod(entry["shape"]))
        values = numpy.frombuffer(data, kind, count, at).reshape(entry["shape"])
        tensors[entry["name"]] = torch.from_numpy(values.copy())
        at += values.nbytes
    return tensors


def check_same(case, ours, peer, bf16):
    # The first loss sees the forward pass, the second the gradients, the third the momentum.
    for step in range(3):
        mine, theirs = ours.ask("loss"), peer.step().item()
        if abs(mine - theirs) > (2e-2 if bf16 else 2e-4) * abs(theirs):
            raise SystemExit(f"{case}: step {step + 1}: our loss {mine}, the peer's {theirs}")


def timed(steps, step):
    start = time.perf_counter_ns()
    for _ in range(steps):
        step()
    return time.perf_counter_ns() - start


def measure(binary, host, batch, precision, threads, seconds):
    case = f"{host}, batch {batch}, {precision}"
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(binary, _peers.case_of(host, folder), batch, precision, threads, folder)
        peer = _peers.Training(host, precision == "bf16", read_tensors(folder))
        check_same(case, ours, peer, precision == "bf16")
        steps = max(1, int(BLOCK_NS / min(timed(3, peer.step) / 3, BLOCK_NS)))
        ours.ask(f"steps {steps}")
        mine, theirs = [], []
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(mine) < 8:
            turns = [lambda: mine.append(ours.ask(f"steps {steps}") / steps * 1e-3),
                     lambda: theirs.append(timed(steps, peer.step) / steps * 1e-3)]
            for turn in turns if len(mine) % 2 == 0 else reversed(turns):
                turn()
        ours.close()
    return _paired.row(case, mine, theirs, "us/step", "eager PyTorch")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=12, help="per case")
    parser.add_argument("--server", type=Path, help="our side, already built")
    parser.add_argument("cases", nargs="*", help="as 'mlp', 'resnet8'; default: all")
    arguments = parser.parse_args()
    server = arguments.server
    if server is None:
        server = BUILD / "bin" / "bench_engine_server"
        subprocess.run(["ninja", "-C", str(BUILD), "--quiet", server.name], check=True)
    torch.set_num_threads(arguments.threads)
    rows = []
    for host, batch, precision in CASES:
        if arguments.cases and host not in arguments.cases:
            continue
        rows.append(measure(str(server), host, batch, precision, arguments.threads,
                            arguments.seconds))
        r = rows[-1]
        print(f"{r['case']:<26} {r['ours']:>10.1f} {r['peer']:>10.1f} us  {r['ratio']:.3f} "
              f"[{r['ci_low']:.3f}, {r['ci_high']:.3f}] n={r['n']}", file=sys.stderr, flush=True)
    if arguments.json:
        _paired.write(arguments.json, "engine", arguments.threads, {"torch": torch.__version__},
                      rows)


if __name__ == "__main__":
    main()
