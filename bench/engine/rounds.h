#pragma once

#include <utility>

#include "bench_stats.h"

namespace bench {

/// Paired times of two trainings, in alternating order. Both are made anew for every pair: the
/// addresses of tensors change a step's time by more than the difference that is measured, so they
/// must vary from pair to pair. `make_ours` and `make_peer` return an object with step().
template <typename MakeOurs, typename MakePeer>
Samples fresh_pairs(int pairs, double seconds, const MakeOurs& make_ours,
                    const MakePeer& make_peer) {
    Samples all;
    auto run = [&](auto& first, auto& second, std::vector<double>& a, std::vector<double>& b) {
        first.step();
        second.step();
        const double once = ns_per_call(1, [&] { second.step(); });
        constexpr int kBlocks = 6;
        const int calls =
            std::max(1, static_cast<int>(seconds * 1e9 / pairs / (2 * kBlocks) / once));
        auto s = interleave(
            kBlocks, calls, [&] { first.step(); }, [&] { second.step(); });
        a.push_back(median(s.ours));
        b.push_back(median(s.peer));
    };
    for (int i = 0; i < pairs; ++i) {
        if (i % 2 == 0) {
            auto ours = make_ours();
            auto peer = make_peer();
            run(*ours, *peer, all.ours, all.peer);
        } else {
            auto peer = make_peer();
            auto ours = make_ours();
            run(*peer, *ours, all.peer, all.ours);
        }
    }
    return all;
}

}  // namespace bench
