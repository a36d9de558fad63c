"""Ratios over paired seeds with their 95 % interval."""

import math
import statistics

# Two-sided 95 % points of Student's t for 1, 2, … degrees of freedom.
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
       2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)


def paired_ratio(ours, peer):
    """Geometric mean of peer/ours over pairs (above 1: ours is smaller) and its 95 % interval:
    Student's t on the logarithms."""
    if len(ours) != len(peer) or len(ours) < 2:
        raise ValueError(f"expected two or more pairs, got {len(ours)} and {len(peer)}")
    logs = [math.log(p / o) for o, p in zip(ours, peer)]
    middle = statistics.fmean(logs)
    degrees = len(logs) - 1
    radius = T95[min(degrees, len(T95)) - 1] * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(middle), math.exp(middle - radius), math.exp(middle + radius)


def in_turns(pairs, ours, peer):
    """(figures of ours, of the peer): what the two functions give, called in turns, another one first
    in every second pair."""
    figures = [], []
    for pair in range(pairs):
        for side in (0, 1) if pair % 2 == 0 else (1, 0):
            figures[side].append((ours, peer)[side]())
    return figures


def paired_row(case, ours, peer, unit):
    """A benchmark's row of two arms over the same seeds: their means and paired_ratio."""
    ratio, low, high = paired_ratio(ours, peer)
    return {"case": case, "ours": statistics.fmean(ours), "peer": statistics.fmean(peer),
            "unit": unit, "ratio": ratio, "ci_low": low, "ci_high": high, "n": len(ours)}
