import json
import subprocess
import sys

import sham_sweep
from conftest import ESPER, ROOT, needs_esper


def outcome(**counts):
    return sham_sweep.Outcome("text", 1, **{"offered": 2, "measured": 2, **counts})


def write_events(folder, *events):
    folder.mkdir(exist_ok=True)
    lines = [json.dumps({"event": "decision", "step": i, "evidence": {}, **e})
             for i, e in enumerate(events)]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")


def test_counts_what_became_of_each_sham(tmp_path):
    look = {"look": 1, "examples": 500}
    write_events(
        tmp_path,
        {"command": "germinate", "slot": 0, "blueprint": "low_rank"},
        {"command": "germinate", "slot": 1, "blueprint": "sham"},
        {"command": "graft", "slot": 0, "blueprint": "low_rank", "evidence": look},
        {"command": "graft", "slot": 1, "blueprint": "sham", "evidence": look},
        {"command": "fossilize", "slot": 0, "blueprint": "low_rank", "evidence": look},
        {"command": "cull", "slot": 1, "blueprint": "sham", "evidence": look},
        {"command": "germinate", "slot": 1, "blueprint": "sham_trained"},
        {"command": "cancel", "slot": 1, "blueprint": "sham_trained"})
    seen = sham_sweep.read_outcome("text", 1, tmp_path)
    assert (seen.offered, seen.measured, seen.grafted, seen.kept) == (2, 1, 1, 0)
    assert (seen.real, seen.real_kept) == (1, 1)


def test_one_kept_sham_passes_and_two_do_not():
    assert not sham_sweep.problems([outcome(kept=1), outcome()])
    assert "2 shams were kept" in sham_sweep.problems([outcome(kept=1), outcome(kept=1)])[0]


def test_a_run_whose_sham_met_no_gate_does_not_count():
    assert "no sham came to a gate" in sham_sweep.problems([outcome(measured=0)])[0]


@needs_esper
def test_a_short_sweep_offers_shams_and_keeps_none(tmp_path):
    report = tmp_path / "sweep.json"
    swept = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "sham_sweep.py"), "--binary", ESPER, "--short",
         "--runs", "4", "--json", str(report)], capture_output=True, text=True)
    assert swept.returncode == 0, swept.stdout + swept.stderr
    runs = json.loads(report.read_text())["runs"]
    assert len(runs) == 4 and all(r["measured"] >= 1 for r in runs)
    assert {r["kind"] for r in runs} == {"text", "images"}
