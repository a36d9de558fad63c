#include "esper/cli/soak.h"

#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "esper/base/clock.h"
#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/run_state.h"

namespace esper::cli {

namespace {

struct Options {
    std::uint64_t cache_operations = 100'000'000;
    std::uint64_t lives = 1'000'000;
    double allowed_mib = 2;
    bool as_json = false;
};

constexpr std::uint64_t kLaps = 96;

/// Does the work in laps and looks at the process after each.
Result<UsageTrend> soak(std::uint64_t operations, const SoakWork& work) {
    UsageTrend trend;
    std::uint64_t done = 0;
    for (std::uint64_t lap = 0; lap < kLaps; ++lap) {
        const std::uint64_t until = operations * (lap + 1) / kLaps;
        ESPER_CHECK_STATUS(work({done, until - done}));
        done = until;
        ESPER_TRY(const ProcessUsage usage, process_usage());
        trend.add(static_cast<double>(done), usage);
    }
    return trend;
}

Result<bool> phase(const char* name, std::uint64_t operations, const SoakWork& work,
                   const Options& options) {
    const std::int64_t start = system_clock().now_ns();
    ESPER_TRY(const UsageTrend trend, soak(operations, work));
    const double seconds = static_cast<double>(system_clock().now_ns() - start) / 1e9;
    const bool flat = trend.is_flat(options.allowed_mib * 1024 * 1024);
    if (options.as_json) {
        const nlohmann::json line{{"phase", name},
                                  {"operations", operations},
                                  {"seconds", seconds},
                                  {"bytes_per_operation", trend.bytes_per_unit()},
                                  {"growth_bytes", trend.growth_bytes()},
                                  {"descriptor_growth", trend.descriptor_growth()},
                                  {"thread_growth", trend.thread_growth()},
                                  {"flat", flat}};
        std::printf("%s\n", line.dump().c_str());
    } else {
        std::printf(
            "%-6s %s operations in %.1f s: memory %+.0f KiB (%+.4f bytes each), "
            "descriptors %+lld, threads %+lld: %s\n",
            name, human_count(static_cast<double>(operations)).c_str(), seconds,
            trend.growth_bytes() / 1024, trend.bytes_per_unit(),
            static_cast<long long>(trend.descriptor_growth()),
            static_cast<long long>(trend.thread_growth()), flat ? "flat" : "GROWS");
    }
    std::fflush(stdout);
    return flat;
}

int failed(const Error& error, const Options& options) {
    if (options.as_json) {
        std::printf("%s\n", nlohmann::json{{"error", error.to_string()}}.dump().c_str());
    }
    return report_error(error);
}

int run(const Options& options) {
    at::set_num_threads(1);
    bool flat = true;
    const auto one = [&](const char* name, std::uint64_t operations, SoakWork (*make)()) -> Status {
        if (operations == 0) return {};
        ESPER_TRY(const bool is_flat, phase(name, operations, make(), options));
        flat = flat && is_flat;
        return {};
    };
    try {
        if (auto ok = one("cache of strings", options.cache_operations, soak_cache); !ok) {
            return failed(ok.error(), options);
        }
        if (auto ok = one("lives", options.lives, soak_lives); !ok) {
            return failed(ok.error(), options);
        }
    } catch (const EsperException& e) {
        return failed(e.error(), options);
    }
    return flat ? 0 : 1;
}

}  // namespace

void add_soak(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<Options>();
    auto* command =
        app.add_subcommand("soak",
                           "operations of a kernel cache that holds stand-ins (strings), and seeds "
                           "put into a host and "
                           "taken out without training: memory, descriptors and threads stay");
    command->add_option("--cache-ops", options->cache_operations, "kernel cache operations")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command->add_option("--lives", options->lives, "seeds that germinate, are grafted and culled")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command->add_option("--allow-mib", options->allowed_mib, "resident memory that may be added")
        ->capture_default_str();
    command->add_flag("--json", options->as_json, "one JSON line for each phase");
    command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace esper::cli
