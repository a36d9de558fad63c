"""What a Trainer shows in a file, in a terminal and in a notebook."""

import io

import pytest

pytest.importorskip("torch")

GERMINATE = {"command": "GERMINATE", "anchor": "blocks.0", "blueprint": "low_rank",
             "reason": "the loss is <stuck>"}
ROW = {"epoch": 1, "train_loss": 0.5, "val_loss": 0.25, "seconds": 2.0, "decisions": [GERMINATE]}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(out, monkeypatch):
    from esper import _progress

    monkeypatch.setattr(_progress, "TERMINAL_SECONDS", 0.0)
    shows = _progress.Lines(3, out)
    for step in range(1, 4):
        shows.step(1, step, 3, lambda: 1.0 / step)
    shows.epoch(ROW)
    shows.end("1 seeds germinated")
    return out.getvalue()


LINES = ("epoch 1/3  train 0.5000  validation 0.2500  2.0 s\n"
         "  germinate low_rank at blocks.0: the loss is <stuck>\n1 seeds germinated\n")


def test_a_file_gets_a_line_an_epoch_and_a_line_a_decision(esper, monkeypatch):
    assert run(io.StringIO(), monkeypatch) == LINES


def test_a_terminal_also_sees_how_far_the_epoch_is(esper, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    shown = run(Terminal(), monkeypatch)
    assert shown.startswith("\repoch 1/3  step 1/3  train 1.0000\repoch 1/3  step 2/3  train 0.5000")
    assert shown.endswith(" \r" + LINES)
    monkeypatch.setenv("CI", "true")
    assert run(Terminal(), monkeypatch) == LINES


def test_quiet_is_quiet(esper, capsys):
    from esper import _progress

    shows = _progress.progress(3, quiet=True)
    shows.step(1, 1, 3, lambda: pytest.fail("nobody asked for the loss"))
    shows.epoch(ROW)
    shows.end("over")
    assert capsys.readouterr() == ("", "")
