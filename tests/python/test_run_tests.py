"""The runner must count what really happened, also when a test binary dies or hangs."""

import json
import os
import stat
import sys
import time

import pytest
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


def test_a_recorded_property_is_no_failure(tmp_path):
    body = REPORT.replace('[{"failure": "1 != 2"}]', '"12"') + "sys.exit(0)"
    outcome = run_tests.run_gtest(script(tmp_path, body), 20)
    assert (outcome.passed, outcome.failures) == (2, [])


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


def test_each_shard_runs_its_own_part_and_all_are_counted(tmp_path):
    body = """
shard = os.environ["GTEST_SHARD_INDEX"] + "/" + os.environ["GTEST_TOTAL_SHARDS"]
open("shards", "a").write(shard + "\\n")
if shard.startswith("2"): os.kill(os.getpid(), signal.SIGKILL)
""" + REPORT + "sys.exit(1)"
    outcome = run_tests.run_gtest_shards(script(tmp_path, body), 20, None, {}, 3)
    assert sorted((tmp_path / "shards").read_text().split()) == ["0/3", "1/3", "2/3"]
    assert (outcome.passed, outcome.skipped, len(outcome.failures)) == (2, 2, 3)
    assert "SIGKILL" in outcome.failures[2][1]


def test_files_of_python_tests_are_divided_and_all_are_counted(tmp_path):
    pytest.importorskip("xdist")
    for name in "ab":
        (tmp_path / f"test_{name}.py").write_text(
            "import os, pathlib\n"
            "def note(): pathlib.Path(__file__ + '.ran').write_text(str(os.getpid()))\n"
            "def test_good(): note()\n"
            f"def test_other(): assert '{name}' == 'b'\n")
    outcome = run_tests.run_pytest(tmp_path, tmp_path, 60, jobs=2)
    # A name begins with the folders below the one that pytest takes for the root: none, or all of /tmp.
    names = [".".join(name.split(".")[-2:]) for name, _ in outcome.failures]
    assert (outcome.passed, names) == (3, ["test_a.test_other"])
    assert len({path.read_text() for path in tmp_path.glob("*.ran")}) == 2


def test_what_sanitizers_find_is_set_to_end_the_test(tmp_path):
    body = REPORT.replace(', "failures": [{"failure": "1 != 2"}]', "") + (
        "sys.exit(0 if 'detect_leaks=1' in os.environ.get('ASAN_OPTIONS', '') else 7)")
    binary = script(tmp_path, body)
    options = run_tests.sanitizer_options("address,undefined")
    assert run_tests.run_gtest(binary, 20, None, options).failures == []
    assert run_tests.run_gtest(binary, 20, None, {}).failures != []
    assert run_tests.sanitizer_options("") == {}


def whole_run(tmp_path, monkeypatch, *arguments):
    """run_tests.main on a build with one room that has a failing test."""
    build = tmp_path / "build"
    build.mkdir()
    script(build, REPORT + "sys.exit(1)")
    (build / "test_binaries.txt").write_text("room_tests\n")
    root = tmp_path / "root"
    (root / "tests").mkdir(parents=True)
    monkeypatch.setattr(run_tests.repository, "ROOT", root)
    monkeypatch.setattr(sys, "argv", ["run_tests.py", str(build), *arguments, "--jobs", "1"])
    return run_tests.main()


def test_the_counts_are_left_for_the_goals(tmp_path, monkeypatch, capsys):
    out = tmp_path / "tests.json"
    assert whole_run(tmp_path, monkeypatch, "--json", str(out)) == 1
    assert capsys.readouterr().out.endswith("1 passed, 1 failed, 1 skipped\n")
    row = json.loads(out.read_text())["rows"][0]
    assert (row["case"], row["ours"], row["n"]) == ("failed tests", 1, 2)


def test_a_part_of_the_tests_leaves_no_counts(tmp_path, monkeypatch):
    out = tmp_path / "tests.json"
    out.write_text("old")
    whole_run(tmp_path, monkeypatch, "room", "--json", str(out))
    assert not out.exists()
