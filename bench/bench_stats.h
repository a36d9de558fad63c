#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace bench {

/// Keeps the compiler from removing a value or the work that computes it.
template <typename T>
inline void keep(T&& value) {
    asm volatile("" : : "g"(&value) : "memory");
}

inline double now_ns() {
    return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

/// Nearest-rank quantile, q in [0, 1].
inline double quantile(std::vector<double> v, double q) {
    if (v.empty()) return 0;
    const auto last = static_cast<double>(v.size() - 1);
    const auto k = static_cast<std::ptrdiff_t>(std::lround(q * last));
    std::nth_element(v.begin(), v.begin() + k, v.end());
    return v[static_cast<std::size_t>(k)];
}
inline double median(std::vector<double> v) { return quantile(std::move(v), 0.5); }

struct Estimate {
    double value = 0;
    double low = 0;
    double high = 0;
};

/// `statistic` of the sample with its 95 % percentile-bootstrap interval (Efron 1979). The random
/// seed is fixed, so the same samples give the same interval.
template <typename Statistic>
Estimate bootstrap(std::span<const double> sample, Statistic statistic, int resamples = 1000) {
    Estimate e;
    std::vector<double> draw(sample.begin(), sample.end());
    e.value = statistic(draw);
    std::uint64_t state = 0x9e3779b97f4a7c15ull;
    auto next = [&state] {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
    };
    std::vector<double> values;
    for (int r = 0; r < resamples; ++r) {
        for (double& x : draw) x = sample[static_cast<std::size_t>(next() % sample.size())];
        values.push_back(statistic(draw));
    }
    e.low = quantile(values, 0.025);
    e.high = quantile(values, 0.975);
    return e;
}

struct Samples {
    std::vector<double> ours;
    std::vector<double> peer;
};

/// Nanoseconds a call takes, averaged over `calls` of them.
template <typename F>
double ns_per_call(int calls, F&& f) {
    const double start = now_ns();
    for (int i = 0; i < calls; ++i) f();
    return (now_ns() - start) / calls;
}

/// `pairs` samples of ours and of the peer, measured back to back in alternating order. A sample is
/// the return value of its function. A first pair is measured and dropped.
template <typename Ours, typename Peer>
Samples alternate(int pairs, Ours&& ours, Peer&& peer) {
    Samples s;
    for (int i = -1; i < pairs; ++i) {
        double a = 0;
        double b = 0;
        if (i % 2 == 0) {
            a = ours();
            b = peer();
        } else {
            b = peer();
            a = ours();
        }
        if (i < 0) continue;
        s.ours.push_back(a);
        s.peer.push_back(b);
    }
    return s;
}

/// The same, where a sample is the mean time in ns of `calls` calls.
template <typename Ours, typename Peer>
Samples interleave(int pairs, int calls, Ours&& ours, Peer&& peer) {
    return alternate(
        pairs, [&] { return ns_per_call(calls, ours); }, [&] { return ns_per_call(calls, peer); });
}

/// `n` samples, each the mean time in ns of `calls` calls. A first sample is measured and dropped.
template <typename F>
std::vector<double> sample(int n, int calls, F&& f) {
    ns_per_call(calls, f);
    std::vector<double> v;
    for (int i = 0; i < n; ++i) v.push_back(ns_per_call(calls, f));
    return v;
}

}  // namespace bench
