#pragma once

#include <cmath>

#include "cache_policies.h"
#include "esper/base/random.h"

namespace bench {

/// An invented run: every step uses the kernels of the living seeds; at times a candidate is tried
/// at an anchor for 50 to 250 steps, and one in five of them stays.
inline Trace candidates_workload(std::size_t accesses, std::uint64_t seed) {
    esper::RandomStream random(seed, "training trace");
    Trace trace;
    std::vector<std::uint64_t> settled;
    std::uint64_t next_kernel = 1;
    while (trace.size() < accesses) {
        const std::uint64_t candidate = next_kernel++;
        const auto steps = 50 + random.below(200);
        for (std::uint64_t i = 0; i < steps; ++i) {
            for (std::uint64_t k : settled) trace.push_back(k);
            trace.push_back(candidate);
        }
        if (random.below(5) == 0) settled.push_back(candidate);
        if (settled.size() > 96) settled.erase(settled.begin());
        // The controller reads other candidates once; most of them never run.
        for (int i = 0; i < 20; ++i) trace.push_back(1'000'000 + random.below(2000));
    }
    trace.resize(accesses);
    return trace;
}

/// Requests with drifting popularity after Zipf's law over `kernels`.
inline Trace zipf_trace(std::size_t accesses, std::uint64_t kernels, double skew,
                        std::uint64_t seed) {
    esper::RandomStream random(seed, "zipf trace");
    std::vector<double> sum(kernels);
    double total = 0;
    for (std::uint64_t k = 0; k < kernels; ++k) {
        total += 1 / std::pow(static_cast<double>(k + 1), skew);
        sum[k] = total;
    }
    Trace trace;
    for (std::size_t i = 0; i < accesses; ++i) {
        const auto at = std::lower_bound(sum.begin(), sum.end(), random.uniform() * total);
        const auto rank = static_cast<std::uint64_t>(at - sum.begin());
        trace.push_back((rank + i / 20'000 * 3) % kernels);
    }
    return trace;
}

}  // namespace bench
