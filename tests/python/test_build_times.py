"""What scripts/build_times.py makes of its log; nothing is compiled here."""

import subprocess
import sys

import build_times
import pytest

OBJECTS = [f"src/esper/CMakeFiles/esper_grow.dir/grow/{name}.cpp.o" for name in "abcdef"] + [
    "src/esper/CMakeFiles/esper.dir/cli/main.cpp.o"]


def test_a_sample_has_every_room_and_stands_for_all_of_it():
    sample = build_times.sample_of(OBJECTS, 3)
    assert len(sample) == 3
    steps = build_times.parse_log("".join(f"2.5 4.00 {made}\n" for made in sample))
    rooms = build_times.by_room(steps, OBJECTS)
    assert rooms["grow"] == {"measured": 2, "compiler_runs": 6, "cpu_seconds": pytest.approx(15)}
    assert rooms["esper"] == {"measured": 1, "compiler_runs": 1, "cpu_seconds": pytest.approx(2.5)}
    assert sorted(build_times.sample_of(OBJECTS, 1)) == sorted(OBJECTS)


def test_the_launcher_counts_and_passes_on_how_a_command_ended(tmp_path):
    launcher, log = tmp_path / "launcher.py", tmp_path / "log"
    launcher.write_text(build_times.LAUNCHER)
    spin = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    command = [sys.executable, str(launcher), str(log), sys.executable, "-c"]
    assert subprocess.run([*command, spin, "-o", "a b.o"]).returncode == 0
    assert subprocess.run([*command, "raise SystemExit(3)", "-o", "c.o"]).returncode == 3
    spun, failed = build_times.parse_log(log.read_text())
    assert spun["made"] == "a b.o" and spun["cpu_seconds"] >= 0.2
    assert failed["made"] == "c.o" and failed["cpu_seconds"] < spun["cpu_seconds"]
