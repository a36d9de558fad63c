// Cost of a logging call for the calling thread. Both loggers write to /dev/null from a thread of
// their own; bursts are shorter than the queues, and the queues are empty before each burst.
#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <spdlog/version.h>

#include "bench_report.h"
#include "esper/utils/logging.h"

namespace {

using namespace esper::utils;

constexpr int kBurst = 1000;
constexpr int kPairs = 200;

/// Waits until the peer has nothing queued.
void settle(spdlog::details::thread_pool& pool) {
    while (pool.queue_size() > 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("logging");
    report.set_version(
        "spdlog", fmt::format("{}.{}.{}", SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH));
    Logger logger(*file_sink("/dev/null"), {.format = LogFormat::kJson, .site_limit = 0});
    Logger limited(*file_sink("/dev/null"), {.format = LogFormat::kJson, .site_limit = 1});
    spdlog::init_thread_pool(8192, 1);
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>("/dev/null");
    auto pool = spdlog::thread_pool();
    auto peer = std::make_shared<spdlog::async_logger>(
        "peer", sink, pool, spdlog::async_overflow_policy::overrun_oldest);

    const std::string id = "b3d4f5-x86-fast-a1c3b2";
    int step = 0;
    const auto ours_call = [&] {
        ESPER_LOG_TO(&logger, LogLevel::kInfo, "kernel loaded", kv("kernel", id), kv("ms", 0.25),
                     kv("step", ++step));
    };
    const auto peer_call = [&] {
        peer->info("kernel loaded kernel={} ms={} step={}", id, 0.25, ++step);
    };

    bench::Samples s;
    std::vector<double> single;
    for (int i = -2; i < kPairs; ++i) {
        double a = 0;
        double b = 0;
        const auto run_ours = [&] {
            logger.flush();
            a = bench::ns_per_call(kBurst, ours_call);
        };
        const auto run_peer = [&] {
            settle(*pool);
            b = bench::ns_per_call(kBurst, peer_call);
        };
        if (i % 2 == 0) {
            run_ours();
            run_peer();
        } else {
            run_peer();
            run_ours();
        }
        if (i < 0) continue;
        s.ours.push_back(a);
        s.peer.push_back(b);
    }
    if (logger.statistics().dropped != 0) {
        fmt::print(stderr, "records were dropped; the figure would be a lie\n");
        return 1;
    }
    report.add_pairs("call with three fields, async", "ns", s, "spdlog async");
    report.add_goal("call with three fields, async", "ns", s.ours, 300);
    report.add_goal(
        "call that the rate limit swallows", "ns",
        bench::sample(
            kPairs, kBurst,
            [&] { ESPER_LOG_TO(&limited, LogLevel::kInfo, "again", kv("step", ++step)); }),
        300);
    report.add_goal(
        "call below the level", "ns",
        bench::sample(
            kPairs, kBurst,
            [&] { ESPER_LOG_TO(&logger, LogLevel::kDebug, "quiet", kv("step", ++step)); }),
        300);
    return report.finish(argc, argv);
}
