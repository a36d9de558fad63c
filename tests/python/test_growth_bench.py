import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench" / "python"))

import cifar10  # noqa: E402
from _intervals import paired_ratio  # noqa: E402
from _training_runs import Job, Runs, flops_to_reach  # noqa: E402


def test_a_ratio_above_one_says_that_ours_is_smaller():
    ratio, low, high = paired_ratio([10, 20, 30], [11, 22.5, 32.9])
    assert 1 < low < ratio < high
    assert ratio == pytest.approx((1.1 * 1.125 * 32.9 / 30) ** (1 / 3))


def test_the_interval_is_students():
    # Logarithms of mean 0.1 and standard deviation 0.1: 0.1 ± 4.303 · 0.1/√3.
    import math
    logs = [0.0, 0.1, 0.2]
    _, low, high = paired_ratio([1, 1, 1], [math.exp(v) for v in logs])
    assert math.log(low) == pytest.approx(0.1 - 4.303 * 0.1 / math.sqrt(3))
    assert math.log(high) == pytest.approx(0.1 + 4.303 * 0.1 / math.sqrt(3))


def test_one_pair_has_no_interval():
    with pytest.raises(ValueError, match="two or more"):
        paired_ratio([1], [2])


def test_flops_are_read_between_epochs():
    points = [(100.0, 0.2), (200.0, 0.4), (300.0, 0.3)]
    assert flops_to_reach(points, 0.3) == pytest.approx(150)
    assert flops_to_reach(points, 0.1) == pytest.approx(50)
    assert flops_to_reach(points, 0.5) is None


FAKE_ESPER = """#!/bin/sh
while [ "$1" != --run ]; do shift; done
mkdir -p "$2"
echo ran >> {log}
echo '{{"status": "{status}", "test_accuracy": 0.5, "flops_total": 1, "wall_seconds": 1,
  "seeds": {{"fossilized": 0, "culled": 0}}}}' > "$2/run.json"
"""


def test_a_finished_run_is_not_done_again_but_an_unfinished_one_is(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("run: {}\n")
    binary, log = tmp_path / "esper", tmp_path / "log"

    def runs(status):
        binary.write_text(FAKE_ESPER.format(log=log, status=status))
        binary.chmod(0o755)
        return Runs(binary, tmp_path / "runs")

    job = Job("grow", config, ("a=1",), 1)
    for _ in range(2):
        runs("done").do(job)
    assert log.read_text().count("ran") == 1
    runs("done").do(Job("grow", config, ("a=2",), 1))
    assert log.read_text().count("ran") == 2
    for _ in range(2):
        runs("stopped").do(job)
    assert log.read_text().count("ran") == 4


def write_batches(folder):
    folder.mkdir(parents=True)
    for name in cifar10.BATCHES:
        with (folder / name).open("wb") as file:
            file.truncate(cifar10.BATCH_BYTES)


def test_cifar10_is_found_where_it_was_fetched(tmp_path):
    write_batches(tmp_path / "data" / cifar10.INNER)
    assert cifar10.find(tmp_path, {}) == tmp_path / "data" / cifar10.INNER
    for name in ("cifar10", "phase1_mvp"):
        text = (Path(cifar10.__file__).parent.parent / "configs" / f"{name}.yaml").read_text()
        assert f"path: data/{cifar10.INNER}\n" in text


def test_cifar10_is_found_where_it_was_named(tmp_path):
    write_batches(tmp_path / "here" / cifar10.INNER)
    found = cifar10.find(tmp_path, {"ESPER_CIFAR10": str(tmp_path / "here")})
    assert found == tmp_path / "here" / cifar10.INNER


def test_a_named_folder_that_lacks_a_batch_is_refused(tmp_path):
    with pytest.raises(cifar10.Missing, match="ESPER_CIFAR10"):
        cifar10.find(tmp_path, {"ESPER_CIFAR10": str(tmp_path)})


def test_the_binary_archive_is_unpacked_once(tmp_path):
    write_batches(tmp_path / "packed" / cifar10.INNER)
    root = tmp_path / "checkout"
    (root / "data").mkdir(parents=True)
    with tarfile.open(root / "data" / "cifar-10-binary.tar.gz", "w") as tar:
        tar.add(tmp_path / "packed" / cifar10.INNER, cifar10.INNER)
    said = []
    for _ in range(2):
        assert cifar10.is_complete(cifar10.find(root, {}, said.append))
    assert len(said) == 1


def test_without_data_it_says_what_to_do(tmp_path):
    with pytest.raises(cifar10.Missing, match="cifar-10-binary.tar.gz"):
        cifar10.find(tmp_path / "checkout", {})


def adapt_run(arm, seed, new, rate=0.01, **more):
    return {"pair": "python-shakespeare", "arm": arm, "rate": rate, "seed": seed, "budget": 0.15e12,
            "new": new, "old": 3.0, "probe": new, "cpu_seconds": 2.0, "parameters": 10, **more}


def test_adaptations_are_compared_in_pairs_of_seeds():
    pytest.importorskip("torch")
    import growth_adapt
    done = {}
    for seed in (1, 2, 3):
        for r in (adapt_run("ours", seed, 1.5 + seed / 10, old_off=1.2, bit_equal=True),
                  adapt_run("LoRA", seed, 1.65 + seed / 9)):
            done[r["pair"], r["arm"], r["rate"], r["seed"], r["budget"]] = r
    del done["python-shakespeare", "LoRA", 0.01, 3, 0.15e12]
    rows = {r["case"]: r for r in growth_adapt.rows_of(done, (0.15e12,), ("python-shakespeare",), (1, 2, 3),
                                                       lambda arm, budget: 0.01)}
    at = "python-shakespeare, 0.15 TFLOP: new loss against LoRA, equal "
    assert rows[at + "FLOPs"]["n"] == 2 and rows[at + "FLOPs"]["ratio"] > 1
    assert rows[at + "FLOPs"]["ours"] == pytest.approx(1.65)
    assert at + "parameters" in rows and not any("full" in case for case in rows)
    assert rows["python-shakespeare: old loss kept"]["ratio"] == 1


def test_an_old_loss_that_moved_is_not_kept():
    pytest.importorskip("torch")
    import growth_adapt
    done = {seed: adapt_run("ours", seed, 1.5, old_off=1.2, bit_equal=seed == 1) for seed in (1, 2)}
    rows = growth_adapt.rows_of(done, (0.15e12,), ("python-shakespeare",), (1, 2), lambda arm, budget: 0.01)
    assert [r["ratio"] for r in rows] == [0]


def test_rates_are_those_of_the_probe_and_only_of_a_finished_grid():
    pytest.importorskip("torch")
    import growth_adapt
    jobs = growth_adapt.grid("full", 2.25e12)
    assert {job[4] for job in jobs} == {2.25e12}
    done = {job: {"probe": loss, "new": -loss} for job, loss in zip(jobs, (1.6, 1.5, 1.7))}
    assert growth_adapt.tuned(done, "full", 2.25e12) == jobs[1][2]
    del done[jobs[0]]
    assert growth_adapt.tuned(done, "full", 2.25e12) is None


def test_an_adaptation_that_another_process_is_at_is_not_begun(tmp_path):
    pytest.importorskip("torch")
    import fcntl
    import json
    import time
    from _adapt_runs import Runs
    job = ("a-b", "full", 0.01, 1, 0.15e12)
    runs = Runs(tmp_path, {"a-b": ("a", "b")}, lambda text: None)
    (tmp_path / "claims").mkdir()
    with (tmp_path / "claims" / "-".join(map(str, job))).open("w") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        assert not runs._do(job, time.time() + 60)
    keys = ("pair", "arm", "rate", "seed", "budget")
    (tmp_path / "runs.jsonl").write_text(json.dumps(dict(zip(keys, job))) + "\n{\"pair\": \"cut o")
    assert runs.do_all([job])
