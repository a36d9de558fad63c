"""What a run of one's own Python loop leaves behind, and how Python looks at runs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import BINARY

torch = pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parent.parent.parent


def own_loop(esper, folder, epochs=2, rounds=2, **options):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    x, y = torch.randn(32, 8), torch.randn(32, 1)
    optimizer = torch.optim.Adam(model.parameters())
    growth = esper.wrap(model, x[:2], optimizer, epochs=epochs, quiet=True, run=folder, **options)
    for _ in range(rounds):
        loss = torch.nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        growth.step(loss)
        growth.epoch(loss.item(), probe=lambda: (model(x) - y).square().flatten())
    return growth


def title_of(page):
    return re.search("<title>(.*?)</title>", page.read_text()).group(1)


def test_a_run_is_named_after_its_folder(esper, tmp_path):
    own_loop(esper, tmp_path / "digits")
    assert json.loads((tmp_path / "digits" / "run.json").read_text())["name"] == "digits"
    page = esper.report(tmp_path / "digits")
    assert title_of(page) == "Esper: digits"
    assert "shakespeare" not in page.read_text().lower()


def test_a_name_of_ones_own_is_kept(esper, tmp_path):
    own_loop(esper, tmp_path / "digits", overrides=["run.name=mine"])
    assert title_of(esper.report(tmp_path / "digits")) == "Esper: mine"


def test_the_configuration_speaks_of_nothing_that_is_not_ours(esper, tmp_path):
    own_loop(esper, tmp_path / "digits")
    config = (tmp_path / "digits" / "config.yaml").read_text()
    sections = re.findall(r"^(\w+):", config, re.M)
    assert set(sections) == {"run", "growth", "controller"}
    assert "gpt" not in config and "shakespeare" not in config
    assert esper.load_config(tmp_path / "digits" / "config.yaml").name == "digits"


def test_a_report_starts_no_process(esper, tmp_path, monkeypatch):
    own_loop(esper, tmp_path / "digits")

    def refuse(*words, **options):
        raise AssertionError(f"started {words}")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr("os.posix_spawn", refuse)
    page = esper.report(tmp_path / "digits", tmp_path / "page.html")
    assert page == tmp_path / "page.html" and page.read_text().startswith("<!DOCTYPE html>")


def test_a_report_of_what_is_no_run_is_an_error_of_the_library(esper, tmp_path):
    with pytest.raises(esper.EsperError, match="not a run's folder") as raised:
        esper.report(tmp_path)
    assert (raised.value.room, raised.value.name) == ("records", "BadRunFolder")


def test_a_report_whose_journal_lost_its_last_line_is_refused(esper, tmp_path):
    growth = own_loop(esper, tmp_path / "digits", epochs=20)
    growth.germinate(0, esper.blueprints(growth.program.anchors()[0][1])[0])
    growth.epoch(1.0)
    esper.report(tmp_path / "digits")
    journal = tmp_path / "digits" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    assert len(lines) > 1
    journal.write_text("".join(lines[:1]))
    with pytest.raises(esper.EsperError, match="missing"):
        esper.report(tmp_path / "digits")


def test_a_folder_with_other_things_in_it_is_not_written_into(esper, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(esper.EsperError, match="thesis.tex"):
        own_loop(esper, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_version_is_spelled_in_one_place(esper):
    header = (ROOT / "include" / "esper" / "version.h").read_text()
    version = ".".join(re.findall(r"ESPER_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header))
    assert esper.__version__ == version
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    spelled = [name for name in tracked.split()
               if name.endswith((".cpp", ".h", ".py", ".toml", "CMakeLists.txt"))
               and f'"{version}"' in (ROOT / name).read_text(errors="replace")]
    assert spelled == []


def test_the_package_finds_and_runs_its_program(esper, tmp_path, monkeypatch):
    from esper import _runs

    if not BINARY.exists():
        pytest.skip("the binary is not built")
    assert _runs.executable() == BINARY
    package = Path(esper._esper.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", "from esper import _runs; _runs.main()", "--version"],
                          env={**os.environ, "PYTHONPATH": str(package)}, capture_output=True,
                          text=True)
    assert done.stdout.startswith("esper "), done.stderr
    monkeypatch.delenv("ESPER_BINARY", raising=False)
    monkeypatch.setattr(_runs, "__file__", str(tmp_path / "_runs.py"))
    monkeypatch.setattr(_runs._esper, "__file__", str(tmp_path / "a" / "b" / "_esper.so"))
    with pytest.raises(FileNotFoundError, match="ESPER_BINARY"):
        _runs.executable()
