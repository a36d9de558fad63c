"""The display of a running Trainer: a table in a notebook, otherwise lines."""

from __future__ import annotations

import html
import os
import sys
import time

TERMINAL_SECONDS, NOTEBOOK_SECONDS = 0.2, 0.5  # between two updates within an epoch


def progress(epochs, quiet=False):
    """The display for this process: for a notebook's kernel, a terminal or a file."""
    if quiet:
        return Quiet()
    return Table(epochs) if in_notebook() else Lines(epochs)


def in_notebook():
    interactive = sys.modules.get("IPython")
    return hasattr(interactive and interactive.get_ipython(), "kernel")


class Quiet:
    """Shows nothing."""

    def step(self, epoch, step, steps, loss):
        """Called within an epoch. steps: the steps of the epoch, None if unknown; loss: a function that
        returns the mean so far; it is only called if the loss is shown."""

    def epoch(self, row):
        """Called after an epoch with its row of `Trainer.history`."""

    def end(self, sentence):
        """Called at the end of the run."""


class Lines(Quiet):
    """One line per epoch and per decision on standard error; in a terminal also the progress of the
    epoch, on a line that is overwritten."""

    def __init__(self, epochs, out=None):
        self.epochs, self.out = epochs, out or sys.stderr
        self.live = self.out.isatty() and not os.environ.get("CI")
        self.shown, self.width = 0.0, 0

    def step(self, epoch, step, steps, loss):
        now = time.monotonic()
        if not self.live or now - self.shown < TERMINAL_SECONDS:
            return
        self.shown = now
        line = f"epoch {epoch}/{self.epochs}  {_part(step, steps)}  train {loss():.4f}"
        self.out.write("\r" + line.ljust(self.width))
        self.out.flush()
        self.width = len(line)

    def epoch(self, row):
        if self.width:
            self.out.write("\r" + " " * self.width + "\r")
            self.width = 0
        print(f"epoch {row['epoch']}/{self.epochs}  train {row['train_loss']:.4f}  validation "
              f"{row['val_loss']:.4f}  {row['seconds']:.1f} s", file=self.out)
        for decision in row["decisions"]:
            print("  " + _decided(decision), file=self.out)

    def end(self, sentence):
        print(sentence, file=self.out)


class Table(Quiet):
    """A table with one row per epoch and its decisions, and a bar for the present epoch. Front ends
    without HTML show lines."""

    def __init__(self, epochs):
        from IPython.display import display

        self.epochs = epochs
        self.rows, self.now, self.sentence = [], None, ""
        self.shown = 0.0
        self.handle = display(self, display_id=True)

    def step(self, epoch, step, steps, loss):
        now = time.monotonic()
        if now - self.shown < NOTEBOOK_SECONDS:
            return
        self.shown = now
        self.now = epoch, step, steps, loss()
        self.handle.update(self)

    def epoch(self, row):
        self.rows.append(row)
        self.now = None
        self.handle.update(self)

    def end(self, sentence):
        self.sentence = sentence
        self.handle.update(self)

    def __repr__(self):
        lines = [f"epoch {r['epoch']}/{self.epochs}  train {r['train_loss']:.4f}  validation "
                 f"{r['val_loss']:.4f}" + "".join("\n  " + _decided(d) for d in r["decisions"])
                 for r in self.rows]
        return "\n".join([*lines, *([self.sentence] if self.sentence else [])])

    def _repr_html_(self):
        cells = "".join(
            f"<tr><td>{r['epoch']}</td><td>{r['train_loss']:.4f}</td><td>{r['val_loss']:.4f}</td>"
            f"<td>{r['seconds']:.1f}</td><td style='text-align:left'>"
            + "<br>".join(html.escape(_decided(d)) for d in r["decisions"]) + "</td></tr>"
            for r in self.rows)
        bar = ""
        if self.now:
            epoch, step, steps, loss = self.now
            bar = (f"<div>epoch {epoch}/{self.epochs} <progress value='{step}' "
                   f"max='{steps or step}'></progress> {_part(step, steps)}, train {loss:.4f}</div>")
        return ("<table><thead><tr><th>epoch</th><th>train</th><th>validation</th><th>s</th>"
                f"<th>growth</th></tr></thead><tbody>{cells}</tbody></table>{bar}"
                + (f"<div>{html.escape(self.sentence)}</div>" if self.sentence else ""))


def _part(step, steps):
    return f"step {step}/{steps}" if steps else f"step {step}"


def _decided(decision):
    what = " ".join(filter(None, (decision["command"].lower(), decision.get("blueprint"))))
    return f"{what} at {decision['anchor']}: {decision['reason']}"
