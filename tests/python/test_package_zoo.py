"""Models and training loops of other libraries, for real. They live in .venv-compat, which
`make compat` sets up; without it these tests are skipped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples" / "python"
PYTHON = ROOT / ".venv-compat" / "bin" / "python"


LOOPS = {
    ("transformers", "accelerate"): ("hf_loss", "hf_frees", "hf_max_steps", "hf_no_length", "hf_resume",
                                      "hf_best", "hf_wider", "hf_hidden"),
    ("lightning",): ("lightning_resume", "lightning_wider", "lightning_again", "lightning_frees",
                     "lightning_steps", "lightning_manual"),
    ("peft", "transformers", "accelerate"): ("peft_merge",),
    ("timm",): ("timm_ema",)}


@pytest.fixture(scope="module")
def in_zoo(esper):
    """Runs a script with its arguments there, and returns what it printed."""
    if not PYTHON.exists():
        pytest.skip("no .venv-compat: `make compat` sets it up")
    environment = dict(os.environ, PYTHONPATH=str(Path(esper._esper.__file__).parent.parent),
                       HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")

    def run(script, *arguments, needs):
        have = subprocess.run([str(PYTHON), "-c", "import importlib.util as u, sys;"
                               f"sys.exit(not all(map(u.find_spec, {needs!r})))"])
        if have.returncode:
            pytest.skip(f"{' or '.join(needs)} is not installed in .venv-compat")
        done = subprocess.run(
            [str(PYTHON), str(Path(__file__).parent / "in_zoo.py"), str(script),
             *map(str, arguments)], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_gpt2_grows_and_runs_without_esper(in_zoo, tmp_path):
    script = EXAMPLES / "transformers_text.py"
    text = ROOT / "data" / "tinyshakespeare.txt"
    out = in_zoo(script, text, tmp_path, 8, 20, needs=("transformers",))
    assert "fossilize" in out and (tmp_path / "grown.py").exists()
    assert "without Esper" in in_zoo(script, "--check", tmp_path, needs=("transformers",))


def test_a_timm_network_grows_on_photographs_and_runs_without_esper(in_zoo, tmp_path):
    import cifar10

    try:
        data = cifar10.find()
    except cifar10.Missing as missing:
        pytest.skip(str(missing))
    script = EXAMPLES / "timm_cifar10.py"
    out = in_zoo(script, data, tmp_path, 8, 600, needs=("timm",))
    assert "germinate" in out
    assert "without Esper" in in_zoo(script, "--check", tmp_path, needs=("timm",))


def test_the_hugging_face_trainer_grows_a_bert(in_zoo):
    out = in_zoo(EXAMPLES / "hugging_face_growth.py", 8, needs=("transformers", "accelerate"))
    assert " seeds germinated" in out and not out.splitlines()[-1].startswith("0 seeds")


def test_lightning_grows_a_network(in_zoo):
    out = in_zoo(EXAMPLES / "lightning_growth.py", 8, needs=("lightning",))
    assert not next(l for l in out.splitlines() if "germinated" in l).startswith("0 seeds")


@pytest.mark.parametrize("name", ["convolutions with in-place activations", "channels last"])
def test_onnx_takes_what_has_grown(in_zoo, tmp_path, name):
    out = in_zoo(Path(__file__).parent / "onnx_of_grown.py", name, tmp_path,
                 needs=("onnx", "onnxscript"))
    assert "the same to" in out


def test_a_notebook_shows_a_table_that_stays_in_its_place(in_zoo):
    out = in_zoo(Path(__file__).parent / "in_kernel.py", needs=("ipykernel", "jupyter_client"))
    assert out.count("<table>") == 1 and out.count("<tr><td>") == 4
    assert "germinate" in out and "seeds germinated" in out and "<progress" not in out


def test_the_library_runs_models_of_other_libraries_whole(in_zoo):
    out = in_zoo(Path(__file__).parent / "inside_zoo.py", needs=("timm", "transformers"))
    differences = dict(line.split() for line in out.splitlines())
    assert len(differences) == 3
    assert all(float(d) <= 1e-5 for d in differences.values()), out


@pytest.fixture(scope="module")
def loops(in_zoo):
    """What the cases of in_loops.py printed that need these libraries, by their names."""
    printed = {}

    def run(needs):
        if needs not in printed:
            out = in_zoo(Path(__file__).parent / "in_loops.py", *LOOPS[needs], needs=needs)
            printed[needs] = dict(part.split("\n", 1) for part in out.split("--- ")[1:])
        return printed[needs]

    return run


@pytest.mark.parametrize("needs, case", [(needs, case) for needs in LOOPS for case in LOOPS[needs]])
def test_other_loops_are_gone_along_with_or_refused(loops, needs, case):
    out = loops(needs)[case]
    assert out.splitlines()[-1:] == ["right"], out
