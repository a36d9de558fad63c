"""Finished runs of growth_adapt, a line each; several processes may work on them together."""

import fcntl
import json
import os
import time
from pathlib import Path

from _adapt_arms import run
from _adapt_hosts import Text, host

WAIT = 5  # seconds between looks at what other processes have finished


class Runs:
    """jobs are (pair, arm, rate, seed, budget)."""

    def __init__(self, folder, pairs, say):
        self.folder, self.pairs, self.say = Path(folder), pairs, say
        self._texts, self._hosts = {}, {}

    @property
    def rows(self):
        path = self.folder / "runs.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]

    def done(self):
        """(pair, arm, rate, seed, budget) -> row."""
        return {(r["pair"], r["arm"], r["rate"], r["seed"], r["budget"]): r for r in self.rows}

    def do_all(self, jobs, until=float("inf")):
        """Finishes the jobs, whoever does them; returns whether all are done. What another process
        has begun is waited for."""
        while True:
            done = self.done()
            left = [j for j in jobs if j not in done]
            if not left or time.time() > until:
                return not left
            if not any(self._do(j, until) for j in left):
                time.sleep(WAIT)

    def _do(self, job, until):
        """Whether this process has done the job; not if another is at it, or it is late."""
        claims = self.folder / "claims"
        claims.mkdir(parents=True, exist_ok=True)
        with (claims / "-".join(map(str, job)).replace(" ", "_")).open("w") as claim:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            if time.time() > until:
                return False
            if job not in self.done():
                self._run(*job)
            return True

    def text(self, name):
        if name not in self._texts:
            self._texts[name] = Text(name)
        return self._texts[name]

    def _run(self, pair, arm, rate, seed, budget):
        old, new = map(self.text, self.pairs[pair])
        if old.name not in self._hosts:
            with (self.folder / f"host-{old.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._hosts[old.name] = host(self.folder, old, self.say)
        load = os.getloadavg()[0]
        row = {"pair": pair, **run(self._hosts[old.name], old, new, arm, rate, seed, budget),
               "load": load, "texts": [old.hash, new.hash]}
        with (self.folder / "runs.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.say(f"{pair} {budget / 1e12:g} TFLOP {arm} rate {rate:g} seed {seed}: "
                 f"new {row['new']:.4f}, old {row['old']:.4f}, {row['parameters']:,} parameters, {row['steps']} steps, "
                 f"{row['cpu_seconds']:.0f} s of CPU in {row['wall_seconds']:.0f} s (load {load:.0f})")
