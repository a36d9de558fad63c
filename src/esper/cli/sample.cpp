#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/host_adapter.h"
#include "esper/cli/run_config.h"
#include "esper/cli/run_state.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/tolaria/learn/text_samples.h"

namespace esper::cli {

namespace {

using tolaria::DataError;

struct Arguments {
    std::string folder;
    std::vector<std::string> overrides;
    std::optional<std::string> prompt;
    std::optional<std::uint64_t> seed;
    tolaria::SampleOptions options;
    std::string checkpoint;
    std::string adapter;
    bool json = false;
};

Status check(const tolaria::SampleOptions& options) {
    const auto refuse = [](const char* flag, const char* expected, auto got) {
        return fail(DataError::kBadOption,
                    fmt::format("{}: expected {}, got {}", flag, expected, got));
    };
    if (options.tokens < 1) return refuse("--tokens", "a number from 1 on", options.tokens);
    if (!(options.temperature >= 0) || !std::isfinite(options.temperature))
        return refuse("--temperature", "0 (the likeliest token each time) or more",
                      options.temperature);
    if (options.top_k < 0)
        return refuse("--top-k", "0 (all tokens) or how many of the likeliest are drawn from",
                      options.top_k);
    return {};
}

// Lines stay lines; nothing else that the network writes reaches the terminal unseen.
void print_text(std::string_view text) {
    const auto lines = split(text, '\n');
    for (std::size_t i = 0; i < lines.size(); ++i)
        std::printf("%s%s", i == 0 ? "" : "\n", records::printable(lines[i]).c_str());
    std::fflush(stdout);
}

Result<std::vector<std::int64_t>> start_of(const Arguments& a, const tolaria::DatasetInfo& data) {
    if (!a.prompt) return tolaria::default_start(data);
    ESPER_TRY(auto tokens, tolaria::encode_prompt(data, *a.prompt));
    if (tokens.empty())
        return fail(DataError::kBadOption,
                    "--prompt is empty; leave it away to begin a text, or give one to continue");
    return tokens;
}

Status sample(const Arguments& a) {
    ESPER_CHECK_STATUS(check(a.options));
    const std::filesystem::path folder(a.folder);
    ESPER_TRY(const auto config, load_config_to_look(folder, a.overrides));
    ESPER_TRY(auto run, load_run(folder, a.checkpoint));
    ESPER_TRY(const auto data, open_run_data(config, run.head.data_fingerprint, folder));
    const auto& info = data->info();
    if (!info.tokens)
        return fail(tolaria::TolariaError::kUnsupported,
                    a.folder + " was trained on " +
                        (info.input_shape.size() == 1 ? "a table" : "images") +
                        ", not on text; 'esper predict RUN PATH' says what it makes of a file");
    if (!a.adapter.empty()) ESPER_CHECK_STATUS(put_adapter_on(run, folder, a.adapter));
    ESPER_TRY(auto start, start_of(a, info));
    auto options = a.options;
    options.seed = a.seed.value_or(config.run.seed);
    if (!a.json) {
        std::fprintf(stderr, "%s%s, temperature %g%s, seed %llu\n", name_of(run).c_str(),
                     a.adapter.empty() ? "" : (" with " + a.adapter).c_str(), options.temperature,
                     options.top_k > 0 ? fmt::format(", top-k {}", options.top_k).c_str() : "",
                     static_cast<unsigned long long>(options.seed));
        if (a.prompt) print_text(*a.prompt);
        options.on_text = print_text;
    }
    auto& engine = run.learner->engine();
    engine.set_precision(tolaria::Learner::options_of(config).precision);
    ESPER_TRY(const auto text, tolaria::sample_text(engine, run.program(), run.store(), info,
                                                    std::move(start), options));
    if (a.json)
        print_json_line(
            {{"event", "sample"},
             {"prompt", a.prompt.value_or("")},
             {"text", text},
             {"tokens", options.tokens},
             {"temperature", options.temperature},
             {"top_k", options.top_k},
             {"seed", options.seed},
             {"checkpoint", run.checkpoint},
             {"adapter", a.adapter.empty() ? nlohmann::json() : nlohmann::json(a.adapter)},
             {"step", run.step}});
    else
        std::printf("\n");
    return {};
}

}  // namespace

void add_sample(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand("sample", "text that a run's network writes");
    command->add_option("folder", a->folder, "the run's folder")->required();
    command->add_option("overrides", a->overrides, "data.path=… where the data has moved");
    command->add_option("--prompt", a->prompt,
                        "the text that is continued (default: a new line is begun)");
    command->add_option("--tokens", a->options.tokens,
                        "how many are drawn; of a text the characters (default: 300)");
    command->add_option("--temperature", a->options.temperature,
                        "below 1 what is likely becomes likelier; 0: the likeliest token each time "
                        "(default: 0.8)");
    command->add_option("--top-k", a->options.top_k,
                        "draw from so many of the likeliest tokens (default: 0, from all)");
    command->add_option("--seed", a->seed, "of the draws (default: the run's)");
    command->add_option("--checkpoint", a->checkpoint, kCheckpointHelp);
    command->add_option("--adapter", a->adapter, kAdapterHelp);
    command->add_flag("--json", a->json, "standard output is JSON lines only");
    command->callback([a, &exit_code] {
        const auto done = sample(*a);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
