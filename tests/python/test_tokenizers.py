"""Texts as tokens: bytes and byte-level BPE, number for number as Python's `tokenizers` makes them."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import ESPER, needs_esper

pytestmark = needs_esper

ROOT = Path(__file__).resolve().parent.parent.parent
WITH_TOKENIZERS = ROOT / ".venv-test" / "bin" / "python"
BOOK = (ROOT / "data" / "tinyshakespeare.txt").read_text()[:60_000]
# What divides words: contractions, blanks of several kinds, scripts, digits, signs, an added token.
HARD = ("don't I'LL we've   two  blanks\ttab\n\n\nlines \r\n end \u00a0\u2003wide naïve café Größe "
        "漢字かな 한국어 العربية हिन्दी 12345 ½ ٣ １２ 3.14 a_b-c… «x» 🌱👩‍👩‍👧 e\u0301 \u0085x "
        "<|end|> <|end|><|end|>x <|en ' s 's's \x00\x07 ")

MAKE = """
import json, sys
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
kind, text, out = sys.argv[1:]
t = Tokenizer(models.BPE(ignore_merges=kind == "llama"))
if kind == "gpt2":
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
elif kind == "blank":
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
else:
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
            r" ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
t.decoder = decoders.ByteLevel()
t.train_from_iterator([open(text, newline="").read()], trainers.BpeTrainer(vocab_size=600,
    special_tokens=["<|end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    show_progress=False))
t.save(out)
"""
ENCODE = """
import json, sys
from tokenizers import Tokenizer
t = Tokenizer.from_file(sys.argv[1])
print(json.dumps(t.encode(open(sys.argv[2], newline="").read(), add_special_tokens=False).ids))
"""


def esper(*words, cwd):
    return subprocess.run([ESPER, *map(str, words)], cwd=cwd, capture_output=True, text=True,
                          timeout=240, env=dict(os.environ))


def python(code, *words):
    return subprocess.run([WITH_TOKENIZERS, "-c", code, *map(str, words)], capture_output=True,
                          text=True, check=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    if not WITH_TOKENIZERS.exists() or subprocess.run(
            [WITH_TOKENIZERS, "-c", "import tokenizers"], capture_output=True).returncode:
        pytest.skip("the package tokenizers is not in .venv-test (scripts/setup.sh)")
    (folder / "book.txt").write_text(BOOK)
    (folder / "hard.txt").write_bytes((BOOK[:3000] + HARD * 3).encode())
    for kind in ("gpt2", "blank", "llama"):
        python(MAKE, kind, folder / "book.txt", folder / f"{kind}.json")
    return folder


def tokens_of(folder, text, tokenizer):
    out = folder / f"{text}.{Path(tokenizer).stem}.bin"
    done = esper("data", "tokens", text, "--tokenizer", tokenizer, "-o", out, cwd=folder)
    assert done.returncode == 0, done.stderr
    data = out.read_bytes()
    return [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]


@pytest.mark.parametrize("kind", ["gpt2", "blank", "llama"])
@pytest.mark.parametrize("text", ["book.txt", "hard.txt"])
def test_bpe_makes_the_library_s_tokens(folder, kind, text):
    theirs = json.loads(python(ENCODE, folder / f"{kind}.json", folder / text))
    assert len(set(theirs)) > 100
    assert tokens_of(folder, text, f"{kind}.json") == theirs


def test_bytes_are_bytes(folder):
    assert tokens_of(folder, "hard.txt", "bytes") == list((folder / "hard.txt").read_bytes())


def train(folder, tokenizer, run, *more):
    done = esper("train", "book.txt", f"data.tokenizer={tokenizer}", "run.threads=1",
                 "run.precision=fp32", "run.epochs=2", "run.steps_per_epoch=20",
                 "model.width=32", "growth.enabled=false", *more, "--run", run, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / run / "run.json").read_text()), done


def test_a_run_keeps_its_tokenizer_and_samples_by_it(folder):
    (folder / "mine.json").write_bytes((folder / "gpt2.json").read_bytes())
    run, done = train(folder, "mine.json", "bpe")
    assert "byte-level BPE of 600 tokens" in done.stderr
    assert 0 < run["test_metrics"]["bits_per_byte"] < 8
    assert "token" in esper("data", "info", "book.txt", "data.tokenizer=mine.json",
                            cwd=folder).stdout
    (folder / "mine.json").unlink()
    asked = ("sample", "bpe", "--prompt", "Größe 🌱", "--tokens", "40", "--json")
    said = esper(*asked, cwd=folder)
    assert said.returncode == 0, said.stderr
    assert len(json.loads(said.stdout)["text"]) > 20
    done = esper("resume", "bpe", "run.epochs=3", cwd=folder)
    assert done.returncode == 0, done.stderr
    # Another file under the old name changes nothing.
    (folder / "mine.json").write_bytes((folder / "llama.json").read_bytes())
    assert esper("eval", "bpe", cwd=folder).returncode == 0


def test_a_text_of_bytes_is_learnt_and_sampled_as_text(folder):
    run, _ = train(folder, "bytes", "bytes")
    # A byte is a token, so both figures say the same.
    perplexity = run["test_metrics"]["perplexity"]
    assert 2 ** run["test_metrics"]["bits_per_byte"] == pytest.approx(perplexity, rel=1e-6)
    said = esper("sample", "bytes", "--temperature", "3", "--tokens", "200", "--json", cwd=folder)
    assert said.returncode == 0 and json.loads(said.stdout)["text"]


def test_tokens_written_once_are_trained_on(folder):
    tokens_of(folder, "book.txt", "gpt2.json")
    done = esper("data", "tokens", "book.txt", "--tokenizer", "gpt2.json", "-o", "book.npy",
                 cwd=folder)
    assert done.returncode == 0, done.stderr
    for name in ("book.txt.gpt2.bin", "book.npy"):
        assert "token numbers" in esper("data", "info", name, cwd=folder).stdout, name
    done = esper("train", "book.npy", "run.threads=1", "run.precision=fp32", "run.epochs=1",
                 "run.steps_per_epoch=20", "model.width=32", "growth.enabled=false", "--run", "run",
                 cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "run" / "run.json").read_text())["test_metrics"]["perplexity"] > 1


def test_what_is_no_tokenizer_is_refused(folder):
    (folder / "bert.json").write_text(json.dumps(
        {"model": {"type": "WordPiece", "vocab": {"a": 0, "b": 1}}, "normalizer": None}))
    for name, said in (("bert.json", "WordPiece"), ("book.txt", "no JSON"),
                       ("absent.json", "a tokenizer is 'bytes'")):
        done = esper("train", "book.txt", f"data.tokenizer={name}", "--run", "no", cwd=folder)
        assert done.returncode == 3 and said in done.stderr, done.stderr
        assert not (folder / "no").exists()
        done = esper("data", "tokens", "book.txt", "--tokenizer", name, "-o", "no.bin", cwd=folder)
        assert done.returncode == 3 and said in done.stderr, done.stderr
        assert not (folder / "no.bin").exists()
    for bad in (("-o", "no.txt"), ("-o", "no.bin", "--tokenizer", "characters")):
        done = esper("data", "tokens", "book.txt", *bad, cwd=folder)
        assert done.returncode == 2 and ("expected" in done.stderr), done.stderr
