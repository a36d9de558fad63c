"""`esper train` on a terminal: what stands below the bar, and the keys."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from conftest import needs_esper
from small_runs import ESPER, GROW, events_of, write_text

pytestmark = needs_esper


class OnATerminal:
    """A command whose standard input and error are a terminal of its own."""

    def __init__(self, words, cwd, columns=100, rows=30):
        self.own, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.own)
        environment = {k: v for k, v in os.environ.items() if k not in ("CI", "NO_COLOR")}
        self.process = subprocess.Popen(
            [ESPER, *map(str, words)], cwd=cwd, stdin=theirs, stderr=theirs,
            stdout=subprocess.DEVNULL, env={**environment, "TERM": "xterm"},
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)))
        self.theirs = theirs
        self.text = ""

    def read(self, seconds):
        if select.select([self.own], [], [], seconds)[0]:
            self.text += os.read(self.own, 1 << 16).decode(errors="replace")

    def wait_for(self, pattern, seconds=60):
        until = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            assert time.monotonic() < until, f"{pattern} did not come:\n{self.text[-1500:]}"
            self.read(0.1)

    def press(self, key):
        self.text = ""
        os.write(self.own, key.encode())

    def end(self, seconds=60):
        until = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < until:
            self.read(0.1)
        return self.process.poll()

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.own)
        os.close(self.theirs)


@pytest.fixture
def start(tmp_path):
    begun = []

    def begin(*words, **terminal):
        data = write_text(tmp_path / "small.txt")
        begun.append(OnATerminal(["train", *GROW, "run.epochs=600", f"data.path={data}", "--run",
                                  "run", *words], tmp_path, **terminal))
        return begun[-1]

    yield begin
    for command in begun:
        command.close()


def test_the_keys_pause_growth_write_a_checkpoint_and_stop(start, tmp_path):
    command = start()
    command.wait_for(r"seeds [·○◐◕●×]+  \d+ germinated")
    command.wait_for(r"train [▁▂▃▄▅▆▇█]+ \d\.\d{4}  val [▁▂▃▄▅▆▇█]+ .*memory \d+ MB")
    assert "p pause growth   c checkpoint   q stop" in command.text
    command.wait_for(r"step +\d+ +germinated \w+ at blocks")
    command.press("p")
    command.wait_for("growth is paused")
    command.wait_for("p resume growth")
    command.press("p")
    command.wait_for("p pause growth")
    command.press("x")
    command.press("c")
    command.wait_for("the terminal asked for checkpoint: done")
    command.press("q")
    assert command.end() == 130
    assert "esper resume run" in command.text
    assert termios.tcgetattr(command.own) == command.before
    asked = [event for event in events_of(tmp_path / "run") if event["event"] == "control"]
    assert [event["action"] for event in asked] == ["pause_growth", "resume_growth", "checkpoint",
                                                    "stop"]


def test_ctrl_c_gives_the_terminal_back_before_a_second_one_could_end_it(start):
    command = start()
    command.wait_for("q stop with a checkpoint")
    assert termios.tcgetattr(command.own) != command.before
    os.write(command.own, b"\x03")
    assert command.end() == 130
    assert termios.tcgetattr(command.own) == command.before


def test_a_small_terminal_has_the_bar_alone(start):
    command = start(columns=50)
    command.wait_for("examples/s  .* left")
    assert "seeds " not in command.text
    command.process.send_signal(signal.SIGTERM)
    assert command.end() == 130


def test_no_line_is_wider_than_a_narrow_terminal(start):
    command = start(columns=20)
    command.wait_for("loss")
    command.wait_for("%")
    for _ in range(20):
        command.read(0.1)
    drawn = [line for line in re.split(r"\r\x1b\[K|\r\n|\n", command.text)
             if re.match(r" +\d+\.\d %", line)]
    assert drawn and all(len(line) < 20 for line in drawn), drawn
    command.process.send_signal(signal.SIGTERM)
    assert command.end() == 130
