"""The table of `make compat`: which results it counts, and how it is written."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "scripts"))
import compat  # noqa: E402
import compat_recipe  # noqa: E402

STATE = {"torch": "2", "sources_sha256": "0123"}
SIZE = 3


def result(name, **changes):
    return {"name": name, "source": "zoo", "family": name, "built": True, "hook": True,
            "export": True, "wrong": "", "why": "", "hook_detail": {"exactly": True},
            "state": STATE, "recipe": "", **changes}


def planted(folder, *results, recipes=None):
    for r in results:
        (folder / f"{r['name']}.json").write_text(json.dumps(r))
    listed = {r["name"]: "" for r in results} | (recipes or {})
    (folder / "catalogue.json").write_text(json.dumps(listed))
    return compat.results(folder, STATE)


def test_a_result_counts_only_with_the_state_and_the_recipe_of_now(tmp_path):
    built, unbuilt, missing = planted(
        tmp_path, result("same"), result("other package", state={**STATE, "torch": "1"}),
        result("other recipe", recipe="old"), result("halfway", unfinished=True),
        result("no way", built=False, why="not built: too large"), recipes={"other recipe": "new"})
    assert [r["name"] for r in built] == ["same"]
    assert [r["name"] for r in unbuilt] == ["no way"]
    assert missing == ["halfway", "other package", "other recipe"]


def test_a_recipe_depends_on_what_it_names_and_on_no_other_recipe(monkeypatch):
    monkeypatch.setattr(compat_recipe, "ours", lambda item: item in (SIZE, 4) or item is small)
    sources = {}
    monkeypatch.setattr(compat_recipe, "SOURCES", sources)
    monkeypatch.setattr(compat_recipe, "RECIPES", {})
    compat_recipe.recipe("zoo/a")(small)
    before = compat_recipe.recipe_hash("zoo/a")
    compat_recipe.recipe("zoo/b")(large)
    assert compat_recipe.recipe_hash("zoo/a") == before != compat_recipe.recipe_hash("zoo/b")
    assert compat_recipe.recipe_hash("zoo/c") == ""
    monkeypatch.setitem(globals(), "SIZE", 4)
    compat_recipe.recipe_hash.cache_clear()
    assert compat_recipe.recipe_hash("zoo/a") != before


def small():
    return SIZE


def large():
    return [SIZE] * 100


def test_the_page_and_the_file_say_what_was_not_built_and_what_was_not_reached(tmp_path):
    found = planted(tmp_path, result("works"), result("loose", hook_detail={"exactly": False}),
                    result("fails", hook=False, export=False, why="hook: too odd"),
                    result("no way", built=False, why="not built: too | large"),
                    recipes={"later": ""})
    report = compat.summary(STATE, *found)
    assert (report["total"], report["failed"], report["not_repeatable"]) == (3, 1, 1)
    assert (report["not_built"], report["not_reached"]) == (1, 1)
    text = compat.page(report, *found[:2])
    assert "Of 4 architectures, 2 (50.0 %) work" in text
    assert "| no way | too \\| large |" in text and "did not reach 1 further" in text
    written = compat.rows_as_json(report)
    assert json.loads(written) == report
    assert sum('"name"' in line for line in written.splitlines()) == 4
