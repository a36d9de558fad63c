#include "esper/cli/lr_find.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/processor.h"
#include "esper/cli/commands.h"
#include "esper/cli/print.h"
#include "esper/cli/training_config.h"
#include "esper/execution/kernels/kernel_error.h"
#include "esper/services/tolaria/host/imported_host.h"
#include "esper/services/tolaria/host/setup.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/block_settings.h"
#include "esper/services/tolaria/learn/layer_rates.h"
#include "esper/services/tolaria/learn/learner.h"
#include "esper/services/tolaria/learn/rate_search.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::cli {

namespace {

struct RateArguments {
    std::string config;
    std::vector<std::string> overrides;
    std::string seed;
    tolaria::RateSearch::Range range;
    OutputFlags output;
};

Result<std::unique_ptr<tolaria::Learner>> new_learner(const configs::EsperConfig& config,
                                                      const tolaria::DatasetInfo& data) {
    ESPER_TRY(auto host, tolaria::make_host(config, data));
    ESPER_CHECK_STATUS(tolaria::check_parameter_keys(config.optimization, *host));
    auto learner = std::make_unique<tolaria::Learner>(tolaria::Learner::options_of(config));
    ESPER_CHECK_STATUS(learner->begin(std::move(host)));
    if (tolaria::is_exported_model(config))
        ESPER_CHECK_STATUS(tolaria::load_host_weights(config, learner->store()));
    return learner;
}

Result<tolaria::RateSearch> search(const configs::EsperConfig& config,
                                   const tolaria::RateSearch::Range& range) {
    ESPER_TRY(tolaria::RateSearch found, tolaria::RateSearch::over(range));
    ESPER_TRY(const auto data, tolaria::open_data(config));
    ESPER_CHECK_STATUS(tolaria::check_batch_size(config, *data));
    ESPER_TRY(const auto learner, new_learner(config, data->info()));
    at::set_num_threads(config.run.threads > 0 ? config.run.threads : physical_cores());
    tolaria::LoaderOptions options;
    options.variation_seed = config.run.seed;
    options.end_step = static_cast<std::uint64_t>(range.steps);
    options.workers = static_cast<std::size_t>(config.data.workers);
    ESPER_TRY(options.soft, tolaria::soft_targets_of(config, *data));
    tolaria::PrefetchingLoader loader(
        data, tolaria::Part::kTrain,
        tolaria::BatchPlan::shuffled(tolaria::train_examples(config, *data),
                                     static_cast<std::uint32_t>(config.data.batch_size),
                                     config.run.seed),
        options);
    const auto settings = [&](const std::string&, std::int64_t age) {
        return tolaria::block_settings(config, std::nullopt, age);
    };
    for (std::int64_t step = 0; !found.is_over(); ++step) {
        ESPER_TRY(const auto* batch, loader.next());
        const auto made = learner->step(tolaria::as_tensors(*batch, data->info()),
                                        {step, found.next_rate(), settings});
        if (!made && !made.error().is(execution::KernelError::kNotFinite))
            return fail(made.error());
        found.take(made ? made->loss : std::nan(""));
    }
    return found;
}

// Rows enough to see the curve, each with a bar.
void print_curve(const tolaria::RateSearch& found) {
    constexpr std::size_t kRows = 20;
    constexpr double kWidest = 40;
    const auto& losses = found.losses();
    const double highest = *std::ranges::max_element(losses);
    const std::size_t every = std::max<std::size_t>(1, losses.size() / kRows);
    std::printf("%12s  %8s\n", "rate", "loss");
    for (std::size_t i = 0; i < losses.size(); i += every) {
        const auto wide = static_cast<std::size_t>(std::lround(kWidest * losses[i] / highest));
        std::printf("%12.3g  %8.4f  %s\n", found.rates()[i], losses[i],
                    std::string(wide, '#').c_str());
    }
}

Status find(const RateArguments& a) {
    configs::LoadOptions options;
    options.path = a.config;
    options.overrides = a.overrides;
    if (!a.seed.empty()) options.overrides.push_back("run.seed=" + a.seed);
    options.env = configs::process_environment();
    ESPER_TRY(const auto loaded, load_training_config(a.config, options, a.output));
    ESPER_TRY(const auto found, search(loaded.config, a.range));
    const auto suggested = found.suggestion();
    if (a.output.json) {
        print_json_line({{"event", "rates"},
                         {"rates", found.rates()},
                         {"losses", found.losses()},
                         {"suggestion", suggested ? nlohmann::json(*suggested) : nlohmann::json()},
                         {"configured", loaded.config.optimization.learning_rate}});
    } else if (!a.output.quiet && !found.losses().empty()) {
        print_curve(found);
    }
    if (!suggested)
        return fail(tolaria::TolariaError::kDiverged,
                    fmt::format("the loss left all bounds after {} steps; begin lower, --from {:g}",
                                found.losses().size(), a.range.from / 100));
    if (!a.output.json) std::printf("optimization.learning_rate=%.3g\n", *suggested);
    return {};
}

}  // namespace

void add_lr_find(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<RateArguments>();
    auto* command = app.add_subcommand(
        "lr-find", "a learning rate: a short training at rising rates, of which nothing is kept");
    command->add_option("config", a->config, "a configuration, or data, as of 'esper train'");
    command->add_option("overrides", a->overrides, "key=value settings over the configuration");
    command->add_option("--from", a->range.from, "the lowest rate (default: 1e-6)");
    command->add_option("--to", a->range.to, "the highest (default: 1)");
    command->add_option("--steps", a->range.steps, "steps of training (default: 100)");
    command->add_option("--seed", a->seed, "of first values and batches (default: run.seed)");
    add_output_flags(command, a->output);
    command->callback([a, &exit_code] {
        // A first word that is an override leaves the configuration to the default.
        if (a->config.find('=') != std::string::npos) {
            a->overrides.insert(a->overrides.begin(), a->config);
            a->config.clear();
        }
        const auto done = find(*a);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
