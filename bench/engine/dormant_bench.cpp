// A whole run whose seeds are all dormant, with telemetry, health events, the controller's work
// between epochs, files and checkpoints. Its peers are the plain host in a training loop of its
// own, which writes nothing, and the same run with growth switched off. Time of a run per step.

#include <filesystem>
#include <functional>

#include "bench_report.h"
#include "esper/services/tolaria/run/trainer.h"
#include "tolaria/plain_loop.h"

namespace {

using namespace esper;

struct Case {
    std::string name;
    configs::Host host;
    std::int64_t steps;  ///< steps of an epoch, about a second
    bool bf16 = false;
};
constexpr int kPairs = 20;
constexpr int kEpochs = 2;

configs::EsperConfig config_of(const Case& what) {
    configs::EsperConfig config;
    config.run.threads = static_cast<int>(std::thread::hardware_concurrency());
    config.run.precision = what.bf16 ? configs::Precision::kBf16 : configs::Precision::kFp32;
    config.run.epochs = kEpochs;
    config.run.steps_per_epoch = what.steps;
    config.model.host = what.host;
    if (what.host == configs::Host::kGpt) {
        config.data.path = ESPER_SOURCE_DIR "/data/tinyshakespeare.txt";
        config.data.batch_size = 8;
        config.data.split = {0.97, 0.01, 0.01, 0.01};
    } else {
        config.data.kind = configs::DataKind::kDrawn;
        config.data.split = {0.9, 0.05, 0.03, 0.02};
        config.model.depth = what.host == configs::Host::kMlp ? 4 : 8;
        config.model.width = what.host == configs::Host::kMlp ? 64 : 16;
    }
    config.growth.enabled = true;
    config.controller.policy = configs::Policy::kNever;
    return config;
}

double ns_per_step(const configs::EsperConfig& config, const std::function<void()>& run) {
    return bench::ns_per_call(1, run) / static_cast<double>(kEpochs * config.run.steps_per_epoch);
}

/// Time of a run from its first step to its last, without making the data set and the folder (as
/// for the loop).
double run_of(const configs::EsperConfig& config, const std::filesystem::path& folder) {
    std::filesystem::remove_all(folder);
    auto trainer = value_or_throw(tolaria::Trainer::create(config, folder));
    return ns_per_step(config, [&] { bench::keep(value_or_throw(trainer->run())); });
}

double loop_of(const configs::EsperConfig& config) {
    testing::PlainLoop loop(config);
    return ns_per_step(config, [&] { bench::keep(loop.run()); });
}

void in_us(bench::Samples& samples) {
    for (auto* side : {&samples.ours, &samples.peer})
        for (double& t : *side) t *= 1e-3;
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("dormant");
    const auto folder = std::filesystem::temp_directory_path() /
                        ("esper-bench-dormant-" + std::to_string(::getpid()));
    for (const Case& what :
         {Case{"mlp", configs::Host::kMlp, 2000}, Case{"resnet8", configs::Host::kResnet, 40},
          Case{"resnet8", configs::Host::kResnet, 40, true},
          Case{"gpt", configs::Host::kGpt, 30}}) {
        const auto config = config_of(what);
        auto without_growth = config;
        without_growth.growth.enabled = false;
        const auto name = fmt::format("{}, batch {}, {}", what.name, config.data.batch_size,
                                      what.bf16 ? "bf16" : "fp32");
        auto loop = bench::alternate(
            kPairs, [&] { return run_of(config, folder); }, [&] { return loop_of(config); });
        in_us(loop);
        report.add_pairs(name + ": a run against a loop that knows no seeds", "us/step", loop,
                         "a loop of its own");
        auto off = bench::alternate(
            kPairs, [&] { return run_of(config, folder); },
            [&] { return run_of(without_growth, folder); });
        in_us(off);
        report.add_pairs(name + ": a run against one without growth", "us/step", off,
                         "growth.enabled=false");
    }
    std::filesystem::remove_all(folder);
    return report.finish(argc, argv);
}
