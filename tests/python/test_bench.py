"""`make bench NAME=… ARGS=…`: what is named is run, and its arguments reach it."""

import json
import sys

import bench
import pytest

ROW = {"case": "x", "ours": 1, "peer": 2, "unit": "s", "ratio": 2, "ci_low": 1, "ci_high": 3,
       "n": 4}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    folder = tmp_path / "bench" / "python"
    folder.mkdir(parents=True)
    (folder / "toy.py").write_text(
        "import json, sys\n"
        f"row = {ROW!r}\n"
        "row['case'] = ' '.join(sys.argv[1:-2])\n"
        "json.dump({'name': 'toy', 'machine': {'cpu': 'c', 'threads': 1}, 'versions': {},\n"
        "           'commit': 'abc', 'rows': [row]}, open(sys.argv[-1], 'w'))\n")
    monkeypatch.setattr(bench.repository, "ROOT", tmp_path)
    monkeypatch.setattr(bench.repository, "BENCH", tmp_path / "build" / "bench")
    monkeypatch.setattr(bench, "benchmarks", lambda: {"toy": folder / "toy.py"})
    return tmp_path


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["bench.py", *arguments])
    bench.main()


def test_arguments_reach_the_benchmark_that_is_named(tree, monkeypatch):
    call(monkeypatch, "toy", "--", "--seeds", "3")
    report = json.loads((tree / "build" / "bench" / "toy.json").read_text())
    assert report["rows"][0]["case"] == "--seeds 3"


def test_arguments_without_a_name_are_refused(tree, monkeypatch):
    with pytest.raises(SystemExit, match="name one"):
        call(monkeypatch, "--", "--seeds", "3")


def test_an_unknown_name_is_refused_with_those_there_are(tree, monkeypatch):
    with pytest.raises(SystemExit, match="there are: toy"):
        call(monkeypatch, "toi")
