"""`esper forge`: a blueprint becomes a kernel that was tried."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import ESPER, needs_esper

pytestmark = needs_esper

needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name, path="/usr/local/bin:/usr/bin") for name in ("g++", "c++", "clang++")),
    reason="this machine has no compiler")


def forge(*arguments):
    done = subprocess.run([ESPER, "forge", *arguments, "--dry"],
                          capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


@needs_compiler
def test_a_blueprint_becomes_a_kernel_that_was_tried_and_measured():
    status, output, _ = forge("low_rank", "--features", "32", "--rows", "256", "--json")
    kernels = [json.loads(line) for line in output.splitlines()]
    assert status == 0
    # For tokens and for vectors.
    assert [k["anchor"] for k in kernels] == ["tokens", "vector"]
    for kernel in kernels:
        assert (kernel["status"], kernel["why"]) == ("validated", "")
        assert kernel["cases"] >= 14 and 0 < kernel["error"] <= kernel["allowed"]
        assert kernel["id"].split("-")[1:] == [kernel["isa"], "fast", kernel["id"].split("-")[-1]]
        speed = kernel["speeds"][0]
        assert speed["ci_low"] <= speed["ratio"] <= speed["ci_high"]
        assert speed["chosen"] == (speed["ci_low"] > 1.03)
        assert speed["kernel_us"] > 0 and speed["operators_us"] > 0


@needs_compiler
def test_an_operator_without_a_rule_is_named_and_is_no_failure():
    status, output, _ = forge("transformer_block", "--features", "32", "--rows", "64", "--json")
    kernel = json.loads(output)
    assert status == 0
    assert kernel["status"] == "unsupported"
    assert "aten::" in kernel["why"]


@needs_compiler
def test_a_sham_is_unsupported_in_one_line():
    status, output, _ = forge("sham", "--features", "32", "--rows", "64", "--dry")
    rows = output.splitlines()[1:]
    assert status == 0 and rows
    assert all("unsupported" in row and "no backward pass" in row for row in rows), output


def test_an_unknown_blueprint_is_bad_usage_with_the_names_that_are_known():
    status, _, error = forge("bottlenek_mlp")
    assert status == 2
    assert "bottleneck_mlp" in error


@pytest.mark.parametrize("arguments", [(), ("low_rank", "--all"), ("low_rank", "--pipeline", "slow"),
                                       ("low_rank", "--features", "0"),
                                       ("low_rank", "--rows", "0")])
def test_bad_usage_is_refused(arguments):
    assert forge(*arguments)[0] == 2


@needs_compiler
def test_an_aggressive_search_says_how_it_compares_with_the_best_known(tmp_path):
    library = ["--library", str(tmp_path / "library")]

    def forge_of(*arguments):
        done = subprocess.run([ESPER, "forge", "squeeze_excite", "--features", "16", "--json",
                               *library, *arguments], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    known = forge_of()
    found = forge_of("--pipeline", "aggressive", "--budget", "2")
    assert [k["pipeline"] for k in found] == ["aggressive"], "the library knew a kernel to beat"
    search = found[0]
    assert search["variants"] >= 1
    listed = subprocess.run([ESPER, "library", "ls", "--kernels", "--json", *library],
                            capture_output=True, text=True, timeout=120).stdout
    if search["status"] == "no gain":
        assert known[0]["id"] in search["why"]
        assert "-aggressive-" not in listed, "what brings nothing is not stored"
        assert all(s["ci_low"] <= 1 for s in search.get("against_known", []))
    else:
        assert search["status"] == "validated"
        assert search["id"].split("-")[2] == "aggressive" and search["id"] in listed
        assert all(s["ci_low"] > 1 for s in search["against_known"])


def sandbox_of(**environment):
    done = subprocess.run([ESPER, "doctor", "--json"], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})
    return json.loads(done.stdout)["sandbox"]


@needs_compiler
def test_the_level_of_the_sandbox_is_in_doctor_and_in_the_manifest(tmp_path):
    sandbox = sandbox_of()
    assert (sandbox["level"] == 3) == (sandbox["why_not_higher"] == ""), sandbox
    library = ["--library", str(tmp_path / "library")]
    made = subprocess.run([ESPER, "forge", "low_rank", "--features", "16", "--rows", "64", "--json",
                           *library], capture_output=True, text=True, timeout=120)
    row = json.loads(made.stdout.splitlines()[0])
    assert (row["sandbox"], row["trial_sandbox"]) == (sandbox["level"], min(sandbox["level"], 2))
    listed = subprocess.run([ESPER, "library", "ls", "--kernels", "--json", *library],
                            capture_output=True, text=True, timeout=120)
    kernel = next(json.loads(line)["id"] for line in listed.stdout.splitlines()
                  if json.loads(line)["id"].endswith(row["id"]))
    shown = subprocess.run([ESPER, "library", "show", kernel, *library], capture_output=True,
                           text=True, timeout=120)
    assert f"sandbox level {sandbox['level']}" in shown.stdout


@needs_compiler
def test_with_a_broken_bubblewrap_it_compiles_a_level_below_and_says_why(tmp_path):
    if sandbox_of()["level"] < 2:
        pytest.skip("no Landlock here")
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho bwrap: no namespaces today >&2\nexit 1\n")
    broken.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    sandbox = sandbox_of(PATH=path)
    assert sandbox["level"] == 2 and "no namespaces today" in sandbox["why_not_higher"]

    def forge_with(*arguments):
        return subprocess.run([ESPER, "forge", "low_rank", "--features", "16", "--rows", "64",
                               "--dry", "--json", *arguments], capture_output=True, text=True,
                              timeout=120, env={**os.environ, "PATH": path})

    made = forge_with("--sandbox", "require")
    assert made.returncode == 0 and json.loads(made.stdout.splitlines()[0])["sandbox"] == 2
    refused = forge_with("--sandbox", "bubblewrap")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "bubblewrap for the compiler is required" in refused.stderr
    assert "no namespaces today" in refused.stderr


def expect_risk_and_costs(kernel):
    """In the report that the gauntlet signed: nothing is known from runs, nor of 20 kernels."""
    report = kernel["report"]
    figures = report["benchmark_results"]
    assert 0 < report["risk_score"] <= 0.5
    assert report["conf_level"] == ("HIGH" if report["risk_score"] <= 0.2 else "MODERATE")
    assert figures["risk_measured"] == pytest.approx(report["risk_score"])
    assert figures["error_share"] == pytest.approx(
        figures["relative_error"] / figures["relative_error_allowed"])
    assert figures["latency_ms_p99"] > 0 and figures["latency_calls"] >= 25
    assert figures["memory_mb_peak"] * 2**20 >= 2 * 256 * 32 * 4  # y and dx
    assert figures["memory_ratio"] == pytest.approx(
        figures["memory_mb_peak"] / figures["memory_mb_peak_operators"])
    tags = kernel["verdict"]["tags"]
    assert tags == report["generated_tags"] and figures["tagged_among"] < 20
    assert len({"high_speed", "medium_speed", "low_speed"} & set(tags)) == 1


@needs_compiler
def test_a_kernel_is_in_the_library_with_both_signatures_and_its_figures(tmp_path):
    environment = dict(os.environ, ESPER_LIBRARY=str(tmp_path / "library"))

    def esper(*arguments):
        done = subprocess.run([ESPER, *arguments], capture_output=True,
                              text=True, timeout=120, env=environment)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    made = esper("forge", "low_rank", "--features", "32", "--rows", "256", "--json")
    kernels = {k["blueprint"]: k for k in esper("library", "ls", "--kernels", "--json")}
    assert set(kernels) == {k["program"] for k in made}
    for row in made:
        kernel = kernels[row["program"]]
        assert kernel["state"] == "VALIDATED" and kernel["id"].endswith(row["id"])
        assert kernel["verdict"]["passed"] and kernel["gauntlet_key"] != kernel["forge_key"]
        median = kernel["report"]["benchmark_results"]["latency_ms_median"]
        assert abs(1000 * median - row["speeds"][0]["kernel_us"]) < 1e-6
        expect_risk_and_costs(kernel)
        blueprint = esper("library", "show", row["program"], "--json")[0]
        assert blueprint["parents"] and blueprint["compiled_artifacts"] == [kernel["id"]]
    vector = kernels[next(k["program"] for k in made if k["anchor"] == "vector")]["id"]
    reasons = esper("library", "why", vector, "--sample", "32", "--rows", "64", "--json")
    assert all(reason["holds"] for reason in reasons), reasons
    assert {"what": "its risk is not speculative", "holds": True} in [
        {key: reason[key] for key in ("what", "holds")} for reason in reasons]
    assert esper("library", "verify", "--json")[-1]["event"] == "verified"
    risk = esper("library", "risk", "--json")
    assert sum(row["uses"] for row in risk) == 0 and risk[-1]["odds_factor"] == 1
