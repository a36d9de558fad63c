// The kernel cache: look-ups, and its eviction policy compared with others on generated workloads.
// No training run uses the cache yet, so there is no recorded trace. The hit rates are those of the
// workloads of cache_traces.h and say nothing about training.

#include <list>
#include <mutex>

#include "bench_report.h"
#include "esper/execution/kernels/kernel_cache.h"
#include "execution/cache_policies.h"
#include "execution/cache_traces.h"
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

void policies(bench::Report& report) {
    constexpr std::size_t kCapacity = 128;
    const std::vector<std::pair<std::string, bench::Trace>> traces = {
        {"candidates that come and go", bench::candidates_workload(600'000, 1)},
        {"zipf 0.9 of 1,000", bench::zipf_trace(400'000, 1000, 0.9, 2)},
        {"zipf 1.1 of 10,000", bench::zipf_trace(400'000, 10'000, 1.1, 3)},
    };
    fmt::print(
        "| generated workload | S3-FIFO | W-TinyLFU | LRU | Belady |\n| --- | ---: | ---: | ---: | "
        "---: |\n");
    for (const auto& [name, trace] : traces) {
        const double s3 = bench::hit_rate<bench::S3FifoCache>(trace, kCapacity);
        const double lfu = bench::hit_rate<bench::WTinyLfu>(trace, kCapacity);
        const double lru = bench::hit_rate<bench::Lru>(trace, kCapacity);
        const double best = bench::belady_hit_rate(trace, kCapacity);
        fmt::print("| {} | {:.3f} % | {:.3f} % | {:.3f} % | {:.3f} % |\n", name, 100 * s3,
                   100 * lfu, 100 * lru, 100 * best);
        const std::vector<double> ours(2, s3);
        report.add_goal("hit rate, generated: " + name + ", within a point of Belady", "share",
                        ours, best - 0.01, 0.5, bench::Better::kHigher);
    }
    fmt::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("kernel_cache");
    lookups(report);
    policies(report);
    return report.finish(argc, argv);
}
