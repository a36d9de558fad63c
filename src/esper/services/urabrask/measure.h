#pragma once

#include <functional>
#include <vector>

namespace esper::urabrask {

/// Two ways to do the same, in turns.
struct PairedTimes {
    double ours_seconds = 0;  ///< median
    double peer_seconds = 0;
    double ratio = 0;  ///< median of peer / ours: above 1 ours is faster
    double low = 0;    ///< 95 % interval of the median, by order statistics
    double high = 0;
    int rounds = 0;
};

/// Processor time of this thread, in `rounds` rounds of both, or in as many (at least 7) as fit
/// `budget_seconds`. A round repeats what is shorter than 200 µs. Each round begins with the other.
PairedTimes measure_pair(const std::function<void()>& ours, const std::function<void()>& peer,
                         int rounds, double budget_seconds);

/// Single calls, one by one.
struct CallTimes {
    double p99_seconds = 0;  ///< by nearest rank; of fewer than 100 calls the longest
    int calls = 0;
};

/// Processor time of this thread, in at most `most` calls, or in as many (at least 25) as fit
/// `budget_seconds`.
CallTimes measure_calls(const std::function<void()>& call, int most, double budget_seconds);

/// The value of rank ⌈share · n⌉ among n.
double nearest_rank(std::vector<double> values, double share);

/// The ranks (from 0) of n sorted values between which the median lies with at least 95 %; all of
/// them if n is below 6.
std::pair<int, int> median_ranks(int n);

}  // namespace esper::urabrask
