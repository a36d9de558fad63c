#!/usr/bin/env python3
"""Checks Esper against the model zoos and writes build/compat.json, docs/compat.json and
docs/compatibility.md.

    compat.py [--jobs N] [--seconds S] [--only GLOB …] [--fresh] [--table-only] [--ci] [--set-up]

Models are built from configuration alone, nothing is downloaded but the packages that define them,
into .venv-compat. A model that has a result under build/compat/ is not checked again while the
packages, the zoo, its own recipe and what is checked are the same (--fresh drops all results), so the
command may be interrupted and repeated and the table is of one state. --ci checks the fixed sample of
compat_sample.txt (of it those that --only names) anew, writes no page, and fails where one of its
models does. --set-up only makes .venv-compat, in which tests of other libraries' training loops run,
too.
"""

import argparse
import fnmatch
import hashlib
import importlib.metadata
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
             "accelerate", "peft", "psutil", "onnx", "onnxscript", "onnx_ir", "ml_dtypes", "protobuf"),
            ("ipykernel",),  # a notebook, to see a table in
            ("huggingface_hub", "tokenizers", "pyyaml", "regex", "requests", "tqdm", "typer",
             "safetensors", "numpy", "pillow", "packaging", "filelock"))


def set_up():
    """A virtual environment that sees the torch of .venv and has the zoos; their own wishes for a
    torch are not asked."""
    python = VENV / "bin" / "python"
    have = [str(python), "-c", "import importlib.util as u;"
            "assert all(map(u.find_spec, ('torchvision', 'timm', 'transformers', 'onnxscript', "
            "'ipykernel', 'peft', 'accelerate')))"]
    if python.exists() and subprocess.run(have, capture_output=True).returncode == 0:
        put_shim(python)
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
    put_shim(python)
    return python


def put_shim(python):
    """See compat_shim.py."""
    folder = next(python.parent.parent.glob("lib/python3*/site-packages"))
    shutil.copy(repository.ROOT / "scripts" / "compat_shim.py", folder / "esper_zoo_shim.py")
    (folder / "esper_zoo.pth").write_text("import esper_zoo_shim\n")


def state_of(package):
    """What every result depends on: versions of the libraries, and a hash over the package, the zoo
    and the checks. A model's own recipe is no part of it: its hash stands beside each result."""
    scripts = [repository.ROOT / "scripts" / f"compat_{name}.py"
               for name in ("check", "zoo", "transformers")]
    sources = sorted([*package.glob("*.py"), *package.glob("_esper*.so")]) + scripts
    digest = hashlib.sha256(b"".join(hashlib.sha256(p.read_bytes()).digest() for p in sources))
    paths = [str(next(VENV.glob("lib/python3*/site-packages")))]
    versions = {d.metadata["Name"].lower(): d.version
                for d in importlib.metadata.distributions(path=paths)
                if d.metadata["Name"].lower() in ("torchvision", "timm", "transformers")}
    built = package / "torch_version.txt"
    return {"torch": built.read_text().strip(), **dict(sorted(versions.items())),
            "sources_sha256": digest.hexdigest()[:16]}


def run_checks(python, arguments, folder, only, state):
    environment = dict(os.environ, PYTHONPATH=str(arguments.package), HF_HUB_OFFLINE="1",
                       TOKENIZERS_PARALLELISM="false")
    command = ["nice", "-n", "15", str(python), str(repository.ROOT / "scripts/compat_check.py"),
               str(folder), "--jobs", str(arguments.jobs), "--seconds", str(arguments.seconds),
               "--state", json.dumps(state), "--only", *only]
    subprocess.run(command, check=True, env=environment)


def results(folder, state):
    """(built, not built, names without a result) of one state."""
    found = [json.loads(p.read_text()) for p in sorted(folder.glob("*.json"))
             if p.name != "catalogue.json"]
    listed = folder / "catalogue.json"
    names = json.loads(listed.read_text()) if listed.exists() else {}  # to the hash of a recipe
    found = [r for r in found if r.get("state") == state and not r.get("unfinished")
             and r["name"] in names and r["recipe"] == names[r["name"]]]
    return ([r for r in found if r["built"]], [r for r in found if not r["built"]],
            sorted(set(names) - {r["name"] for r in found}))


def summary(state, built, unbuilt, missing):
    def line(r):
        path = "export" if r["export"] else "hook"
        ok = (r["hook"] or r["export"]) and not r["wrong"]
        why = r["wrong"] or ("" if ok else r["why"] or r.get("export_why", ""))
        return {"name": r["name"], "source": r["source"], "family": r["family"], "path": path,
                "ok": ok, "exactly": bool(r.get("hook_detail", {}).get("exactly")), "why": why}

    models = [line(r) for r in built]
    return {"state": state, "total": len(built),
            "families": len({(r["source"], r["family"]) for r in built}),
            "export_ok": sum(r["export"] for r in built), "hook_ok": sum(r["hook"] for r in built),
            # Those of the hook path whose own two runs differ: compared with a tolerance.
            "not_repeatable": sum(r["hook"] and not r["hook_detail"]["exactly"] for r in built),
            "failed": sum(not m["ok"] for m in models),
            "wrong": sum(bool(r["wrong"]) for r in built),
            "not_built": len(unbuilt), "not_reached": len(missing), "models": models,
            "not_built_models": [{"name": r["name"], "why": r["why"]} for r in unbuilt],
            "not_reached_models": missing}


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")[:200]


def share(part, whole):
    return f"{100 * part / max(whole, 1):.1f} %"


def opening(report):
    """The page up to its tables."""
    total, unbuilt = report["total"], report["not_built"]
    works, tried = total - report["failed"], total + unbuilt
    versions = ", ".join(f"{name} {version}" for name, version in report["state"].items()
                         if name != "sources_sha256")
    paragraphs = [
        "# Which PyTorch models work",
        "`make compat` writes this page. It builds models of torchvision, timm and transformers from "
        "their configurations, in small sizes and with random weights, and checks each on both paths "
        "of the Python package. [compat.json](compat.json) has one row for each model.",
        f"**Of {tried} architectures, {works} ({share(works, tried)}) work on at least one path, "
        f"{report['failed']} work on neither, {report['wrong']} give a wrong result, and {unbuilt} "
        f"could not be built here.** Of the {total} that were built, {share(works, total)} work: "
        f"{report['hook_ok']} on the hook path and {report['export_ok']} on the export path. They are "
        f"of {report['families']} families. The last table gives the reason for each model that could "
        "not be built; Esper was not tried on those.",
        f"Two runs of the same model differ from each other in {report['not_repeatable']} of the models "
        "on the hook path. For these the check allows a difference of 0.1 %; for all others the bits "
        "must be the same.",
        f"All rows have the same state: {versions}, and {state_text(report['state'])}."]
    if report["not_reached"]:
        paragraphs.append(
            f"The run that wrote this page did not reach {report['not_reached']} further architectures "
            "of these libraries. `make compat` continues with them where the results under `build/` "
            "have this state, and begins anew elsewhere.")
    return paragraphs + [
        "**Hook path.** Esper wraps the module. While all seeds sleep, the loss and all gradients have "
        "the bits that they have without Esper. A seed in isolation at one of up to three anchors "
        "changes none of these bits and receives a gradient. A blended seed changes nothing at α = 0 "
        "and changes the output at α = 1. A checkpoint that is loaded into a new model, and the model "
        "that `esper.unwrap` returns, compute the same as the grown model.",
        "**Export path.** `torch.export` exports the model in training mode, the importer reads it, "
        "and the C++ interpreter computes the loss and the gradients of PyTorch. A model that draws "
        "random numbers in training is compared in evaluation mode. The table counts an export only "
        "where all three steps succeed."]


def state_text(state):
    return (f"`{state['sources_sha256']}`, a hash over the files of the Python package and of the "
            "scripts that build and check the models")


def page(report, built, unbuilt):
    lines = [line for paragraph in opening(report) for line in (paragraph, "")]
    lines += ["| source | family | models | hook path | of these not repeatable | export path "
              "| what fails |",
              "| --- | --- | ---: | ---: | ---: | ---: | --- |"]
    families = defaultdict(list)
    for r in built:
        families[r["source"], r["family"]].append(r)
    for (source, family), items in sorted(families.items()):
        whys = {r["wrong"] or r["why"] for r in items if not r["hook"]}
        whys |= {r["export_why"] for r in items if not r["export"] and r.get("export_why")}
        loose = sum(r["hook"] and not r["hook_detail"]["exactly"] for r in items)
        lines.append(f"| {source} | {family} | {len(items)} | {sum(r['hook'] for r in items)} "
                     f"| {loose or ''} | {sum(r['export'] for r in items)} "
                     f"| {cell('; '.join(sorted(w for w in whys if w)))} |")
    if unbuilt:
        lines += ["", "## Not built", "",
                  "The configurations and inputs are ours (`scripts/compat_*.py`). With none of them "
                  "did these models run in their own library. The second column has the first error.",
                  "", "| model | first error |", "| --- | --- |"]
        lines += [f"| {r['name']} | {cell(r['why'].removeprefix('not built: '))} |" for r in unbuilt]
    return "\n".join(lines) + "\n"


def rows_as_json(report):
    """JSON with one model on each line."""
    rows = {key: value for key, value in report.items() if isinstance(value, list)}
    text = json.dumps({**report, **dict.fromkeys(rows, None)}, indent=1)
    for key, items in rows.items():
        body = ",\n".join("  " + json.dumps(item, ensure_ascii=False) for item in items)
        text = text.replace(f'"{key}": null', f'"{key}": [\n{body}\n ]' if items else f'"{key}": []')
    return text + "\n"


def check_sample(arguments):
    """The fixed sample, with new results; 1 when one of its models does not work."""
    folder = repository.ROOT / "build" / "compat-ci"
    shutil.rmtree(folder, ignore_errors=True)
    names = [n for n in SAMPLE.read_text().split()
             if any(fnmatch.fnmatch(n, p) for p in arguments.only)]
    if not names:
        raise SystemExit(f"the sample has no model named {' '.join(arguments.only)}")
    python = set_up()
    state = state_of(arguments.package / "esper")
    run_checks(python, arguments, folder, names, state)
    good = {m["name"] for m in summary(state, *results(folder, state))["models"] if m["ok"]}
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
    parser.add_argument("--package", type=Path, default=BUILD / "python",
                        help="folder that has the esper package to check")
    arguments = parser.parse_args()
    if arguments.set_up:
        set_up()
        return 0
    arguments.package = arguments.package.absolute()
    if not any((arguments.package / "esper").glob("_esper*.so")):
        raise SystemExit("build the Python package first: make build")
    if arguments.ci:
        return check_sample(arguments)
    if arguments.fresh:
        shutil.rmtree(RESULTS, ignore_errors=True)
    python = set_up()
    state = state_of(arguments.package / "esper")
    if not arguments.table_only:
        run_checks(python, arguments, RESULTS, arguments.only, state)
    found = results(RESULTS, state)
    report = summary(state, *found)
    text = rows_as_json(report)
    (repository.ROOT / "build" / "compat.json").write_text(text)
    (repository.ROOT / "docs" / "compat.json").write_text(text)
    (repository.ROOT / "docs" / "compatibility.md").write_text(page(report, *found[:2]))
    print({k: v for k, v in report.items() if not k.endswith("models")})
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
