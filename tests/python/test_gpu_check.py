import gpu_check
import pytest


@pytest.mark.parametrize("arguments, status", [([], 0), (["--require"], 1)])
def test_without_a_gpu_it_says_that_nothing_was_checked(monkeypatch, capsys, arguments, status):
    monkeypatch.setattr(gpu_check, "what_is_missing", lambda: "no GPU")
    monkeypatch.setattr("sys.argv", ["gpu_check.py", *arguments])
    assert gpu_check.main() == status
    assert "nothing was checked: no GPU" in capsys.readouterr().out


OK = "[       OK ] CudaTwins.Blend (3 ms)\n"
SKIPPED = "[  SKIPPED ] CudaTwins.Table (0 ms)\n"


@pytest.mark.parametrize("output, status, problem", [
    (OK + SKIPPED, 0, None),
    (OK + SKIPPED + SKIPPED, 0, "skipped"),
    (SKIPPED, 0, "no test"),
    (OK, 1, "failed"),
])
def test_skipped_twins_are_no_success(output, status, problem):
    found = gpu_check.judge_tests(output, status)
    assert found is None if problem is None else problem in found
