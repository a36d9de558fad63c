"""What measuring may cost in a loop of the user's own."""

from __future__ import annotations

import time
from contextlib import contextmanager


class Account:
    """What measuring has cost and may cost, in training steps' worth of passes: counted, not timed, so
    that two runs decide alike. The seconds beside it are for the reader only."""

    def __init__(self, share):
        self.share, self.steps, self.spent, self.seconds = share, 0, 0.0, 0.0
        self.began = time.perf_counter()

    @property
    def allowed(self):
        """steps: of the whole run, as long as it is planned to be."""
        return self.share * self.steps

    @property
    def balance(self):
        return self.allowed - self.spent

    @contextmanager
    def pays(self, steps):
        """The block costs so many steps' worth."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent += steps
            self.seconds += time.perf_counter() - began

    def text(self, steps):
        """steps: that have been made."""
        share = self.spent / steps if steps else 0.0
        passed = max(time.perf_counter() - self.began, 1e-9)
        return (f"measuring cost {100 * share:.1f} % of the training's passes and "
                f"{100 * self.seconds / passed:.1f} % of the time ({self.seconds:.2g} s)")

    def save(self):
        return {"spent": self.spent, "seconds": self.seconds}

    def load(self, saved):
        self.spent, self.seconds = saved["spent"], saved["seconds"]
