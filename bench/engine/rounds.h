#pragma once

#include <utility>

#include "bench_stats.h"

namespace bench {

/// Pairs of two trainings that are made anew for every pair, in turns first: where tensors come to
/// lie makes a step faster or slower by more than what is looked for here, so it must vary from
/// pair to pair like any other noise. `make_ours` and `make_peer` return something with step().
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
