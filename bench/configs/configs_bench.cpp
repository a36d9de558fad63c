// Time to load a configuration, compared with the goal of 2 ms and with reading the same keys from
// yaml-cpp's document tree without any check.

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench_report.h"
#include "esper/base/files.h"
#include "esper/configs/load.h"
#include "esper/configs/schema.h"
#include "esper/configs/yaml.h"

namespace {

using namespace esper;
using namespace esper::configs;

template <typename T>
T need(Result<T> result) {
    if (!result) {
        fmt::print(stderr, "{}\n", result.error().to_string());
        std::exit(1);
    }
    return std::move(*result);
}

/// Loads the tree with yaml-cpp alone and converts each value by its key, without checks for
/// unknown keys and ranges and without the lines of values.
double read_with_yaml_cpp(const std::string& text) {
    const YAML::Node root = YAML::Load(text);
    double sum = 0;
    const Schema& schema = Schema::instance();
    const auto walk = [&](const auto& self, const YAML::Node& node, std::size_t section) -> void {
        for (const std::size_t child : schema[section].children) {
            const Key& key = schema[child];
            const YAML::Node value = node[std::string(key.name)];
            if (key.is_section()) {
                self(self, value, child);
                continue;
            }
            switch (key.type->kind()) {
                case ValueKind::kBool:
                    sum += value.as<bool>() ? 1 : 0;
                    break;
                case ValueKind::kInteger:
                case ValueKind::kNumber:
                    sum += value.as<double>();
                    break;
                case ValueKind::kNames:
                    sum += static_cast<double>(value.as<std::vector<std::string>>().size());
                    break;
                case ValueKind::kPair:
                    sum += value.as<std::vector<double>>().at(0);
                    break;
                default:
                    sum += static_cast<double>(value.as<std::string>().size());
            }
        }
    };
    walk(walk, root, Schema::kRoot);
    return sum;
}

constexpr double kNsPerMs = 1e6;

/// The first load also builds the schema; a process has only one.
int first_load() {
    const double start = bench::now_ns();
    bench::keep(need(load_config({.path = ESPER_SOURCE_DIR "/configs/default.yaml"})));
    fmt::print("{}\n", (bench::now_ns() - start) / kNsPerMs);
    return 0;
}

std::vector<double> first_loads(const std::string& program, int n) {
    std::vector<double> samples;
    for (int i = 0; i < n; ++i) {
        FILE* pipe = popen(("'" + program + "' --first-load").c_str(), "r");
        double ms = 0;
        if (pipe != nullptr && std::fscanf(pipe, "%lf", &ms) == 1) samples.push_back(ms);
        if (pipe != nullptr) pclose(pipe);
    }
    return samples;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "--first-load") return first_load();
    constexpr double kGoalMs = 2;
    bench::Report report("configs");
    const auto load_ms = [](const LoadOptions& options, int n) {
        auto samples = bench::sample(n, 1, [&] { bench::keep(need(load_config(options))); });
        for (double& sample : samples) sample /= kNsPerMs;
        return samples;
    };
    const std::string root = ESPER_SOURCE_DIR;

    report.add_goal("first load of a process, every key with comments", "ms",
                    first_loads(argv[0], 30), kGoalMs);

    for (const std::string name : {"default", "cifar10", "testing"}) {
        report.add_goal(fmt::format("configs/{}.yaml", name), "ms",
                        load_ms({.path = fmt::format("{}/configs/{}.yaml", root, name)}, 500),
                        kGoalMs);
    }
    const auto folder = std::filesystem::temp_directory_path() / "esper_configs_bench.yaml";
    const EsperConfig config;
    const std::string resolved = to_yaml(config);
    if (!write_file_atomic(folder, resolved)) return 1;
    LoadOptions everything{.path = folder,
                           .profile = "production",
                           .overrides = {"growth.gate.delta=0.1", "run.seed=3", "data.workers=2"},
                           .env = process_environment()};
    everything.env["ESPER_CHECKPOINT__KEEP"] = "7";
    everything.env["REDIS_URL"] = "redis://bus:6379/0";
    report.add_goal("resolved file of a run, profile, environment, overrides", "ms",
                    load_ms(everything, 500), kGoalMs);
    std::filesystem::remove(folder);

    auto pairs = bench::interleave(
        300, 1, [&] { bench::keep(need(parse_config(resolved, "resolved.yaml"))); },
        [&] { bench::keep(read_with_yaml_cpp(resolved)); });
    for (auto* samples : {&pairs.ours, &pairs.peer}) {
        for (double& sample : *samples) sample /= kNsPerMs;
    }
    report.add_pairs(fmt::format("text of {} bytes to checked values", resolved.size()), "ms",
                     pairs, "yaml-cpp tree, unchecked");
    return report.finish(argc, argv);
}
