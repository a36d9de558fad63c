// The kernel cache: look-ups, and what real runs would find in it. bench/python/kernel_requests.py
// recorded what their processes asked for (kernel_requests.txt); load times are measured there,
// too.

#include <fstream>
#include <list>
#include <mutex>
#include <sstream>

#include "bench_report.h"
#include "esper/execution/kernels/kernel_cache.h"
#include "execution/cache_policies.h"
#include "execution/kernels/test_source.h"
#include "execution/tick_timer.h"

namespace {

using namespace esper::execution;
using esper::testing::TestSource;

/// The obvious cache: one lock, a map, a list, shared pointers.
class LockedLru {
  public:
    explicit LockedLru(std::size_t capacity) : capacity_(capacity) {}
    std::shared_ptr<CachedKernel> get(std::uint64_t id, TestSource& source) {
        std::lock_guard lock(mutex_);
        const auto it = map_.find(id);
        if (it != map_.end()) {
            order_.splice(order_.end(), order_, it->second.at);
            return it->second.kernel;
        }
        if (map_.size() == capacity_) {
            map_.erase(order_.front());
            order_.pop_front();
        }
        std::shared_ptr<CachedKernel> kernel = std::move(*source.load(id, *source.fetch(id)));
        map_[id] = {kernel, order_.insert(order_.end(), id)};
        return kernel;
    }

  private:
    struct Held {
        std::shared_ptr<CachedKernel> kernel;
        std::list<std::uint64_t>::iterator at;
    };
    std::size_t capacity_;
    std::mutex mutex_;
    std::list<std::uint64_t> order_;
    std::unordered_map<std::uint64_t, Held> map_;
};

void lookups(bench::Report& report) {
    const bench::TickTimer timer;
    TestSource source;
    KernelCache cache({}, source);
    LockedLru locked(128);
    for (std::uint64_t id = 0; id < 128; ++id) {
        bench::keep(cache.get(id));
        bench::keep(locked.get(id, source));
    }
    auto ours = [&, i = std::uint64_t{0}]() mutable { bench::keep(cache.find(i++ * 37 % 128)); };
    auto peer = [&, i = std::uint64_t{0}]() mutable {
        bench::keep(locked.get(i++ * 37 % 128, source));
    };
    report.add_goal("lookup p50", "ns", timer.each(20'000, ours, 32), 50, 0.5);
    report.add_goal("lookup p99", "ns", timer.each(500'000, ours), 250, 0.99);
    report.add_pairs("lookup", "ns", bench::interleave(50, 20'000, ours, peer), "mutexed LRU map");
    report.add_pairs(
        "lookup beside another reader", "ns",
        bench::interleave_beside(
            30, 10'000, ours,
            [&, i = std::uint64_t{0}]() mutable { bench::keep(cache.find(i++ % 128)); }, peer,
            [&, i = std::uint64_t{0}]() mutable { bench::keep(locked.get(i++ % 128, source)); }),
        "mutexed LRU map");
}

/// What each process asked for, in its order.
std::vector<bench::Trace> recorded_processes() {
    std::vector<bench::Trace> processes;
    std::ifstream file(ESPER_SOURCE_DIR "/bench/execution/kernel_requests.txt");
    for (std::string line; std::getline(file, line);) {
        const auto colon = line.rfind(':');
        if (line.starts_with("#") || colon == std::string::npos) continue;
        std::istringstream words(line.substr(colon + 1));
        bench::Trace trace;
        for (std::uint64_t kernel = 0; words >> kernel;) trace.push_back(kernel);
        if (!trace.empty()) processes.push_back(std::move(trace));
    }
    return processes;
}

struct Hits {
    double all = 0;     ///< share of the requests
    double steady = 0;  ///< of those for a kernel that was asked for before
};

/// The cache itself, a new one for each of `processes`.
Hits replay(const std::vector<bench::Trace>& processes, std::uint32_t entries) {
    std::uint64_t asked = 0;
    std::uint64_t hits = 0;
    std::uint64_t first = 0;
    for (const auto& trace : processes) {
        TestSource source;
        KernelCache cache({.max_entries = entries}, source);
        for (const auto kernel : trace) bench::keep(cache.get(kernel));
        const auto stats = cache.stats();
        asked += trace.size();
        hits += stats.hits;
        first += stats.misses[static_cast<std::size_t>(MissCause::kCold)];
    }
    const auto share = [](std::uint64_t part, std::uint64_t whole) {
        return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 1;
    };
    return {share(hits, asked), share(hits, asked - first)};
}

/// Over all of `processes`, each with a cache of its own.
template <typename Rate>
double mean_rate(const std::vector<bench::Trace>& processes, const Rate& rate) {
    double hits = 0;
    std::size_t asked = 0;
    for (const auto& trace : processes) {
        hits += rate(trace) * static_cast<double>(trace.size());
        asked += trace.size();
    }
    return asked > 0 ? hits / static_cast<double>(asked) : 0;
}

void requests(bench::Report& report) {
    const auto apart = recorded_processes();
    bench::Trace together;
    for (const auto& trace : apart) together.insert(together.end(), trace.begin(), trace.end());
    const std::uint32_t usual = KernelCacheOptions{}.max_entries;
    const auto belady = [](std::uint32_t entries) {
        return [entries](const bench::Trace& t) { return bench::belady_hit_rate(t, entries); };
    };
    const std::vector<std::pair<std::string, std::vector<bench::Trace>>> traces = {
        {"each process its own cache", apart}, {"all processes one cache", {together}}};
    fmt::print("{} processes, {} requests for {} kernels\n\n", apart.size(), together.size(),
               std::set<std::uint64_t>(together.begin(), together.end()).size());
    fmt::print(
        "| recorded requests | entries | this cache | again asked for | W-TinyLFU | LRU | Belady "
        "|\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (const auto& [name, processes] : traces) {
        for (const std::uint32_t entries : {usual, 8U, 4U}) {
            const auto ours = replay(processes, entries);
            fmt::print("| {} | {} | {:.1f} % | {:.1f} % | {:.1f} % | {:.1f} % | {:.1f} % |\n", name,
                       entries, 100 * ours.all, 100 * ours.steady,
                       100 * mean_rate(processes,
                                       [&](const bench::Trace& t) {
                                           return bench::hit_rate<bench::WTinyLfu>(t, entries);
                                       }),
                       100 * mean_rate(processes,
                                       [&](const bench::Trace& t) {
                                           return bench::hit_rate<bench::Lru>(t, entries);
                                       }),
                       100 * mean_rate(processes, belady(entries)));
        }
        const auto ours = replay(processes, usual);
        const std::vector<double> all(2, ours.all);
        const std::vector<double> steady(2, ours.steady);
        report.add_goal("hit rate, recorded: " + name + ", within a point of Belady", "share", all,
                        mean_rate(processes, belady(usual)) - 0.01, 0.5, bench::Better::kHigher);
        report.add_goal("hit rate, recorded: " + name + ", kernels asked for again", "share",
                        steady, 0.995, 0.5, bench::Better::kHigher);
    }
    fmt::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("kernel_cache");
    lookups(report);
    requests(report);
    return report.finish(argc, argv);
}
