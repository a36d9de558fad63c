"""The runner must count what really happened, also when a test binary dies or hangs."""

import os
import stat
import sys
import time

import run_tests


def script(tmp_path, body):
    """An executable that stands in for a test binary."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "room_tests"
    path.write_text(f"#!{sys.executable}\nimport os, signal, sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


REPORT = """
report = sys.argv[1].split("json:")[1]
open(report, "w").write('''{"testsuites": [{"name": "S", "testsuite": [
  {"name": "good", "status": "RUN", "result": "COMPLETED"},
  {"name": "left_out", "status": "RUN", "result": "SKIPPED"},
  {"name": "bad", "status": "RUN", "result": "COMPLETED", "failures": [{"failure": "1 != 2"}]}
]}]}''')
"""


def test_a_report_is_counted(tmp_path):
    outcome = run_tests.run_gtest(script(tmp_path, REPORT + "sys.exit(1)"), 20)
    assert (outcome.passed, outcome.skipped) == (1, 1)
    assert outcome.failures == [("S.bad", "1 != 2")]


def test_a_crash_fails_the_test_it_happened_in(tmp_path):
    body = """
print("[ RUN      ] S.good")
print("[       OK ] S.good (0 ms)")
print("[ RUN      ] S.bad", flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
"""
    outcome = run_tests.run_gtest(script(tmp_path, body), 20)
    assert outcome.passed == 1
    assert [name for name, _ in outcome.failures] == ["S.bad"]
    assert "SIGSEGV" in outcome.failures[0][1]


def test_a_hanging_binary_is_ended_and_fails(tmp_path):
    body = 'print("[ RUN      ] S.slow", flush=True)\ntime.sleep(60)'
    start = time.monotonic()
    outcome = run_tests.run_gtest(script(tmp_path, body), 1)
    assert time.monotonic() - start < 20
    assert "did not end within 1 s" in outcome.failures[0][1]


def test_a_bad_exit_after_a_clean_report_is_a_failure(tmp_path):
    body = REPORT.replace(', "failures": [{"failure": "1 != 2"}]', "") + "sys.exit(3)"
    outcome = run_tests.run_gtest(script(tmp_path, body), 20)
    assert outcome.passed == 2
    assert outcome.failures[0][0] == "after the last test"


def test_children_left_behind_are_ended(tmp_path):
    pid_file = tmp_path / "pid"
    body = f"""
child = os.fork()
if child == 0:
    time.sleep(60)
open({str(pid_file)!r}, "w").write(str(child))
""" + REPORT
    run_tests.run_gtest(script(tmp_path, body), 20)
    child = int(pid_file.read_text())
    for _ in range(100):
        try:
            state = open(f"/proc/{child}/stat").read().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.02)
    os.kill(child, 9)
    raise AssertionError("the child outlived its test")


def test_pytest_results_are_counted(tmp_path):
    (tmp_path / "test_a.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 1 == 2\n"
        "@pytest.mark.skip\ndef test_left_out(): pass\n")
    outcome = run_tests.run_pytest(tmp_path, tmp_path, 60)
    assert (outcome.passed, outcome.skipped, len(outcome.failures)) == (1, 1, 1)
    assert "assert 1 == 2" in outcome.failures[0][1]
