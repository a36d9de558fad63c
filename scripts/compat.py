#!/usr/bin/env python3
"""Checks Esper against the model zoos and writes build/compat.json and docs/compatibility.md.

    compat.py [--jobs N] [--seconds S] [--only GLOB …] [--fresh] [--table-only] [--ci] [--set-up]

Models are built from configuration alone, nothing is downloaded but the packages that define them,
into .venv-compat. A model that has a result under build/compat/ is not checked again (--fresh drops
them), so the command may be interrupted and repeated. --ci checks the fixed sample of
compat_sample.txt anew, writes no page, and fails where one of its models does. --set-up only makes
.venv-compat, in which tests of other libraries' training loops run, too.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import repository

VENV = repository.ROOT / ".venv-compat"
BUILD = repository.ROOT / "build" / "release"
RESULTS = repository.ROOT / "build" / "compat"
SAMPLE = repository.ROOT / "scripts" / "compat_sample.txt"
PACKAGES = (("--no-deps", "torchvision", "timm", "transformers>=5,<6"),
            # what examples and tests of growth in other people's loops need
            ("--no-deps", "lightning", "pytorch-lightning", "lightning-utilities", "torchmetrics",
             "accelerate", "psutil", "onnx", "onnxscript", "onnx_ir", "ml_dtypes", "protobuf"),
            ("ipykernel",),  # a notebook, to see a table in
            ("huggingface_hub", "tokenizers", "pyyaml", "regex", "requests", "tqdm", "typer",
             "safetensors", "numpy", "pillow", "packaging", "filelock"))


def set_up():
    """A virtual environment that sees the torch of .venv and has the zoos; their own wishes for a
    torch are not asked."""
    python = VENV / "bin" / "python"
    have = [str(python), "-c", "import importlib.util as u;"
            "assert all(map(u.find_spec, ('torchvision', 'timm', 'transformers', 'onnxscript', "
            "'ipykernel')))"]
    if python.exists() and subprocess.run(have, capture_output=True).returncode == 0:
        return python
    print("making .venv-compat", file=sys.stderr)
    ours = repository.ROOT / ".venv" / "bin" / "python"
    subprocess.run([str(ours), "-m", "venv", str(VENV)], check=True)
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    ask = lambda p, code: subprocess.run([str(p), "-c", code], check=True, capture_output=True,
                                         text=True).stdout.strip()
    torch_at = ask(ours, "import torch, os; print(os.path.dirname(torch.__path__[0]))")
    (Path(ask(python, purelib)) / "esper_torch.pth").write_text(torch_at + "\n")
    for packages in PACKAGES:
        subprocess.run([str(python), "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", *packages], check=True)
    return python


def run_checks(python, arguments, folder, only):
    environment = dict(os.environ, PYTHONPATH=str(BUILD / "python"), HF_HUB_OFFLINE="1",
                       TOKENIZERS_PARALLELISM="false")
    command = ["nice", "-n", "15", str(python), str(repository.ROOT / "scripts/compat_check.py"),
               str(folder), "--jobs", str(arguments.jobs), "--seconds", str(arguments.seconds),
               "--only", *only]
    subprocess.run(command, check=True, env=environment)


def results(folder):
    found = [json.loads(p.read_text()) for p in sorted(folder.glob("*.json"))]
    return [r for r in found if r["built"]], [r for r in found if not r["built"]]


def summary(built):
    def line(r):
        path = "export" if r["export"] else "hook"
        ok = (r["hook"] or r["export"]) and not r["wrong"]
        why = r["wrong"] or ("" if ok else r["why"] or r.get("export_why", ""))
        return {"name": r["name"], "source": r["source"], "family": r["family"], "path": path,
                "ok": ok, "why": why}

    models = [line(r) for r in built]
    return {"total": len(built), "families": len({(r["source"], r["family"]) for r in built}),
            "export_ok": sum(r["export"] for r in built), "hook_ok": sum(r["hook"] for r in built),
            "failed": sum(not m["ok"] for m in models),
            "wrong": sum(bool(r["wrong"]) for r in built), "models": models}


def page(report, built, unbuilt):
    total = report["total"] or 1
    share = 100 * (total - report["failed"]) / total
    lines = [
        "# Which PyTorch models work", "",
        "Written by `make compat`: models of torchvision, timm and transformers, built from their "
        "configuration alone, small, checked one by one.", "",
        f"**{report['total']} architectures of {report['families']} families: {share:.1f} % work on "
        f"one path or the other, "
        f"{report['wrong']} give a wrong result.** {report['hook_ok']} on the hook path, "
        f"{report['export_ok']} on the export path.", "",
        "*Hook*: wrapped and asleep, loss and every gradient are bit for bit those of the model; "
        "seeds isolated at up to three anchors change neither and receive gradient; blended at "
        "α = 0 they are silent and at α = 1 heard; a checkpoint loaded into a fresh model, and the "
        "unwrapped model, compute the same. *Export*: `torch.export` takes it in training mode, "
        "the importer reads it, and loss and gradients are those of PyTorch.", "",
        "| source | family | models | hook | export | what fails |",
        "| --- | --- | ---: | ---: | ---: | --- |"]
    families = defaultdict(list)
    for r in built:
        families[r["source"], r["family"]].append(r)
    for (source, family), items in sorted(families.items()):
        whys = {r["wrong"] or r["why"] for r in items if not r["hook"]}
        whys |= {r["export_why"] for r in items if not r["export"] and r.get("export_why")}
        text = "; ".join(sorted(w for w in whys if w)).replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {source} | {family} | {len(items)} | {sum(r['hook'] for r in items)} "
                     f"| {sum(r['export'] for r in items)} | {text[:200]} |")
    if unbuilt:
        lines += ["", f"Not counted, because the library itself could not build or run them from a "
                  f"small configuration: {len(unbuilt)} "
                  f"({', '.join(sorted(set(r['family'] for r in unbuilt)))})."]
    return "\n".join(lines) + "\n"


def check_sample(arguments):
    """The fixed sample, with new results; 1 when one of its models does not work."""
    folder = repository.ROOT / "build" / "compat-ci"
    shutil.rmtree(folder, ignore_errors=True)
    names = SAMPLE.read_text().split()
    run_checks(set_up(), arguments, folder, names)
    built, _ = results(folder)
    good = {m["name"] for m in summary(built)["models"] if m["ok"]}
    for name in sorted(set(names) - good):
        print(f"FAILED {name}")
    print(f"{len(good)} of {len(names)} work")
    return 0 if good == set(names) else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=int, default=180, help="a model may take")
    parser.add_argument("--only", nargs="*", default=["*"], help="globs of source/name")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--table-only", action="store_true")
    parser.add_argument("--ci", action="store_true")
    parser.add_argument("--set-up", action="store_true")
    arguments = parser.parse_args()
    if arguments.set_up:
        set_up()
        return 0
    if not any((BUILD / "python" / "esper").glob("_esper*.so")):
        raise SystemExit("build the Python package first: make build")
    if arguments.ci:
        return check_sample(arguments)
    if arguments.fresh:
        shutil.rmtree(RESULTS, ignore_errors=True)
    if not arguments.table_only:
        run_checks(set_up(), arguments, RESULTS, arguments.only)
    built, unbuilt = results(RESULTS)
    report = summary(built)
    (repository.ROOT / "build" / "compat.json").write_text(json.dumps(report, indent=1) + "\n")
    (repository.ROOT / "docs" / "compatibility.md").write_text(page(report, built, unbuilt))
    print({k: v for k, v in report.items() if k != "models"})
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
