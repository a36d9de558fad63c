"""`make leaks` sees a leak where there is one, and only a program that would show it is asked."""

import shutil
import subprocess
import sys

import leaks
import pytest

LEAKY = """
#include <cstdlib>
int main(int argc, char**) {
    void* volatile lost = argc > 1 ? std::malloc(1000) : nullptr;
    lost = nullptr;
    return 0;
}
"""


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++")
    folder = tmp_path_factory.mktemp("leaky")
    (folder / "leaky.cpp").write_text(LEAKY)
    subprocess.run([compiler, "-fsanitize=leak", "-o", folder / "leaky", folder / "leaky.cpp"],
                   check=True)
    return str(folder / "leaky")


def test_lost_memory_is_a_leak_and_none_is_none(leaky):
    assert leaks.run("clean", [leaky]) == (0, None)
    count, problem = leaks.run("leaky", [leaky, "lose"])
    assert count == 1 and "1000 byte(s) leaked" in problem


def test_a_command_that_fails_otherwise_is_a_problem_but_no_leak():
    count, problem = leaks.run("failing", [sys.executable, "-c", "raise SystemExit(5)"])
    assert count == 0 and "exit status 5, expected 0" in problem


def test_a_program_that_would_hide_a_leak_is_found_out(leaky, tmp_path):
    assert leaks.would_show(leaky, tmp_path)
    assert not leaks.would_show(shutil.which("true"), tmp_path)
