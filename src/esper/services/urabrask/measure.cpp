#include "esper/services/urabrask/measure.h"

#include <algorithm>
#include <cmath>
#include <ctime>

namespace esper::urabrask {

namespace {

constexpr double kShortest = 200e-6;
constexpr int kFewestRounds = 7;
constexpr int kFewestCalls = 25;

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double time_of(const std::function<void()>& what, int repeats) {
    const double begin = thread_seconds();
    for (int i = 0; i < repeats; ++i) what();
    return (thread_seconds() - begin) / repeats;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const auto n = values.size();
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

}  // namespace

double nearest_rank(std::vector<double> values, double share) {
    std::sort(values.begin(), values.end());
    const auto n = static_cast<double>(values.size());
    const auto rank = static_cast<std::size_t>(std::clamp(std::ceil(share * n), 1.0, n));
    return values[rank - 1];
}

CallTimes measure_calls(const std::function<void()>& call, int most, double budget_seconds) {
    constexpr double kShare = 0.99;
    std::vector<double> seconds;
    for (double spent = 0; static_cast<int>(seconds.size()) < most;) {
        if (static_cast<int>(seconds.size()) >= kFewestCalls && spent >= budget_seconds) break;
        seconds.push_back(time_of(call, 1));
        spent += seconds.back();
    }
    CallTimes found;
    found.calls = static_cast<int>(seconds.size());
    found.p99_seconds = nearest_rank(std::move(seconds), kShare);
    return found;
}

std::pair<int, int> median_ranks(int n) {
    // The largest k with P(Binomial(n, 1/2) < k) <= 2.5 %; the interval is [k-1, n-k] from 0.
    double below = 0;
    double term = std::pow(0.5, n);
    int k = 0;
    while (k < n / 2 && below + term <= 0.025) {
        below += term;
        term *= static_cast<double>(n - k) / static_cast<double>(k + 1);
        ++k;
    }
    const int first = std::max(0, k - 1);
    return {first, n - 1 - first};
}

PairedTimes measure_pair(const std::function<void()>& ours, const std::function<void()>& peer,
                         int rounds, double budget_seconds) {
    time_of(ours, 1);
    time_of(peer, 1);
    const double first_ours = time_of(ours, 1);
    const double first_peer = time_of(peer, 1);
    const auto repeats = [](double seconds) {
        return std::clamp(static_cast<int>(std::ceil(kShortest / std::max(seconds, 1e-7))), 1,
                          1000);
    };
    const int of_ours = repeats(first_ours);
    const int of_peer = repeats(first_peer);
    const double a_round = first_ours * of_ours + first_peer * of_peer;
    rounds = std::clamp(static_cast<int>(budget_seconds / std::max(a_round, 1e-6)), kFewestRounds,
                        std::max(rounds, kFewestRounds));
    std::vector<double> all_ours;
    std::vector<double> all_peer;
    std::vector<double> ratios;
    for (int i = 0; i < rounds; ++i) {
        double mine = 0;
        if (i % 2 == 0) mine = time_of(ours, of_ours);
        const double theirs = time_of(peer, of_peer);
        if (i % 2 != 0) mine = time_of(ours, of_ours);
        all_ours.push_back(mine);
        all_peer.push_back(theirs);
        ratios.push_back(theirs / std::max(mine, 1e-9));
    }
    PairedTimes found;
    found.rounds = rounds;
    found.ours_seconds = median(all_ours);
    found.peer_seconds = median(all_peer);
    found.ratio = median(ratios);
    std::sort(ratios.begin(), ratios.end());
    const auto [low, high] = median_ranks(rounds);
    found.low = ratios[static_cast<std::size_t>(low)];
    found.high = ratios[static_cast<std::size_t>(high)];
    return found;
}

}  // namespace esper::urabrask
