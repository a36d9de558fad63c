"""`esper nissa export --mlflow`: a store that MLflow itself reads."""

import json
import shutil
import subprocess

import pytest

from conftest import needs_esper
from small_runs import ROOT, TINY, esper, record_of, train, write_text

pytestmark = needs_esper

PYTHON = ROOT / ".venv-test" / "bin" / "python"

READ = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
found = {}
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        found[run.info.run_name] = {
            "experiment": experiment.name, "status": run.info.status, "id": run.info.run_id,
            "start": run.info.start_time, "end": run.info.end_time, "params": run.data.params,
            "last": run.data.metrics, "tags": run.data.tags,
            "loss": [(m.step, m.value, m.timestamp)
                     for m in client.get_metric_history(run.info.run_id, "val_loss")],
            "files": sorted(f.path for f in client.list_artifacts(run.info.run_id))}
print(json.dumps(found))
"""


def read(store):
    if subprocess.run([PYTHON, "-c", "import mlflow"], capture_output=True).returncode:
        pytest.skip("no mlflow in .venv-test (make setup)")
    done = subprocess.run([PYTHON, "-c", READ, store.as_uri()], capture_output=True, text=True,
                          env={"PATH": "/usr/bin:/bin", "MLFLOW_ALLOW_FILE_STORE": "true",
                               "HOME": str(store.parent)}, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_mlflow_reads_curves_parameters_and_files(tmp_path):
    run = train(tmp_path, *TINY, "growth.enabled=false", data=write_text(tmp_path / "text.txt"))
    stopped = shutil.copytree(ROOT / "tests/fixtures/run-v1", tmp_path / "old: 'run'")
    store = tmp_path / "mlruns"
    done = esper("nissa", "export", run, stopped, "--mlflow", store, "--experiment", "mine",
                 cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = read(store)
    assert set(found) == {"run", "old: 'run'"}
    told, record = found["run"], record_of(run)
    assert told["experiment"] == "mine" and told["status"] == "FINISHED"
    head, *lines = (run / "metrics.csv").read_text().splitlines()
    rows = [dict(zip(head.split(","), map(float, line.split(",")))) for line in lines]
    assert [(step, value) for step, value, _ in told["loss"]] == [
        (row["step"], pytest.approx(row["val_loss"])) for row in rows]
    gaps = [(b[2] - a[2]) / 1000 for a, b in zip(told["loss"], told["loss"][1:])]
    assert gaps == pytest.approx([b["seconds"] - a["seconds"] for a, b in zip(rows, rows[1:])],
                                 abs=0.01)
    assert told["start"] <= told["loss"][0][2] <= told["end"]
    assert told["last"]["test_loss"] == pytest.approx(record["test_loss"])
    assert told["params"]["model.width"] == "16"
    assert told["tags"]["esper.program_sha256"] == record["program_sha256"]
    assert {"run.json", "config.yaml", "metrics.csv"} <= set(told["files"])
    assert found["old: 'run'"]["status"] == "KILLED"
    # The same run again is the same run.
    assert esper("nissa", "export", run, "--mlflow", store, "--experiment", "mine",
                 cwd=tmp_path).returncode == 0
    assert read(store)["run"] == told


def test_names_of_a_stranger_lead_nowhere(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(ROOT / "tests/fixtures/run-v1", run)
    lines = (run / "metrics.csv").read_text().splitlines()
    (run / "metrics.csv").write_text("\n".join(
        [lines[0] + ",../../../evil,.hidden,good_one"] + [line + ",1,2,3" for line in lines[1:]]) + "\n")
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "../../outside": 1.5, "a/b": 2}))
    done = esper("nissa", "export", run, "--mlflow", tmp_path / "deep" / "mlruns", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.rglob("*") if run not in path.parents}
    assert "good_one" in names
    assert not names & {"evil", ".hidden", "outside", "b"}
    nowhere = esper("nissa", "export", tmp_path / "none", "--mlflow", tmp_path / "x", cwd=tmp_path)
    assert nowhere.returncode in (2, 3)
