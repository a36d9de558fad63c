"""The loss of a step, computed once more."""

from __future__ import annotations


class Again:
    """Of a step over several batches whose gradients add up. passes: one function for each, which
    returns its share of the step's loss."""

    def __init__(self, passes):
        self.passes = passes

    def __call__(self):
        return sum(one() for one in self.passes)


def passes_of(again):
    """The functions that it is the sum of; itself where it is a user's."""
    return again.passes if isinstance(again, Again) else [again]
