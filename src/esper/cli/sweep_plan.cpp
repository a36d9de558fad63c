#include "esper/cli/sweep_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "esper/base/files.h"
#include "esper/base/own_file.h"
#include "esper/base/processor.h"
#include "esper/base/text.h"
#include "esper/cli/plan.h"
#include "esper/cli/training_config.h"
#include "esper/configs/yaml.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/records_errors.h"
#include "esper/services/tolaria/data/data_errors.h"
#include "esper/services/tolaria/host/whole_paths.h"

namespace esper::cli {

namespace fs = std::filesystem;
using nlohmann::json;
using records::RecordsError;
using tolaria::DataError;

namespace {

constexpr std::size_t kMostRuns = 10'000;
constexpr std::uint64_t kMostBytes = std::uint64_t{16} << 20;

// Commas inside brackets belong to a value that is a list.
std::vector<std::string> values_in(const std::string& text) {
    std::vector<std::string> values{""};
    int depth = 0;
    for (const char c : text) {
        if (c == '[') ++depth;
        if (c == ']') --depth;
        if (c == ',' && depth == 0)
            values.emplace_back();
        else
            values.back() += c;
    }
    return values;
}

// Every combination as overrides; the last key changes fastest.
std::vector<std::vector<std::string>> combinations_of(const std::vector<SweptKey>& keys) {
    std::vector<std::vector<std::string>> all{{}};
    for (const auto& key : keys) {
        std::vector<std::vector<std::string>> longer;
        for (const auto& before : all)
            for (const auto& value : key.values) {
                longer.push_back(before);
                longer.back().push_back(key.path + "=" + value);
            }
        all = std::move(longer);
    }
    return all;
}

Result<std::vector<SweptKey>> keys_of(const std::vector<std::string>& words) {
    std::vector<SweptKey> keys;
    std::size_t combinations = 1;
    for (const auto& word : words) {
        ESPER_TRY(auto key, parse_swept_key(word));
        if (key.path == "run.seed")
            return fail(DataError::kBadOption,
                        "run.seed is not swept but given by --seeds N: N seeds for every "
                        "combination, from the configuration's run.seed on");
        if (std::ranges::find(keys, key.path, &SweptKey::path) != keys.end())
            return fail(DataError::kBadOption,
                        fmt::format("{} is named twice; give its values once, with commas between "
                                    "them",
                                    key.path));
        combinations *= key.values.size();
        if (combinations > kMostRuns)
            return fail(DataError::kBadOption,
                        fmt::format("that is more than {} combinations", kMostRuns));
        keys.push_back(std::move(key));
    }
    return keys;
}

struct Checked {
    Combination combination;
    configs::EsperConfig config;
};

Result<Checked> check(const std::string& source, const std::vector<std::string>& overrides,
                      int jobs, bool is_first) {
    configs::LoadOptions options;
    options.path = source;
    options.overrides = overrides;
    options.env = configs::process_environment();
    ESPER_TRY(auto loaded,
              load_training_config(source, options, {.json = false, .quiet = !is_first}));
    for (const auto& warning : loaded.warnings)
        std::fprintf(stderr, "esper: %s\n", warning.c_str());
    auto config = tolaria::with_whole_paths(std::move(loaded.config));
    // As many threads as the jobs leave each other; written down, because a run's sums depend on
    // it.
    if (config.run.threads == 0) config.run.threads = std::max(1, physical_cores() / jobs);
    ESPER_CHECK_STATUS(plan_of(config));
    return Checked{{"", {}, configs::to_yaml(config)}, config};
}

}  // namespace

std::string Combination::in_words() const {
    std::vector<std::string> words;
    for (const auto& [path, value] : settings) words.push_back(path + "=" + value);
    return words.empty() ? name : join(words, " ");
}

std::vector<SweepRun> SweepPlan::runs() const {
    std::vector<SweepRun> all;
    for (std::size_t c = 0; c < combinations.size(); ++c)
        for (const auto seed : seeds)
            all.push_back({c, seed, fmt::format("{}-s{}", combinations[c].name, seed)});
    return all;
}

Result<SweptKey> parse_swept_key(const std::string& word) {
    const auto equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
        return fail(DataError::kBadOption,
                    fmt::format("expected key=a,b such as optimization.learning_rate=0.001,0.003, "
                                "got '{}'",
                                word));
    SweptKey key{word.substr(0, equals), values_in(word.substr(equals + 1))};
    for (std::size_t i = 0; i < key.values.size(); ++i) {
        if (key.values.size() > 1 && key.values[i].empty())
            return fail(DataError::kBadOption,
                        fmt::format("'{}' has nothing between two commas", word));
        if (std::ranges::find(key.values.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                              key.values.end(), key.values[i]) != key.values.end())
            return fail(DataError::kBadOption,
                        fmt::format("'{}' names the value {} twice", word, key.values[i]));
    }
    return key;
}

Result<SweepPlan> plan_sweep(const std::string& source, const std::vector<std::string>& words,
                             int seeds, int jobs) {
    if (source == "-")
        return fail(DataError::kBadOption,
                    "a sweep reads its configuration from a file, not from "
                    "standard input");
    ESPER_TRY(const auto keys, keys_of(words));
    SweepPlan plan;
    plan.source = source;
    std::optional<Error> first;
    for (const auto& overrides : combinations_of(keys)) {
        auto checked = check(source, overrides, jobs, plan.combinations.empty() && !first);
        if (!checked) {
            std::fprintf(stderr, "esper: %s: %s\n", join(overrides, " ").c_str(),
                         checked.error().message().c_str());
            if (!first) first = checked.error();
            continue;
        }
        auto& combination = checked->combination;
        combination.name = fmt::format("c{}", plan.combinations.size() + 1);
        for (const auto& override_text : overrides) {
            const auto equals = override_text.find('=');
            const auto path = override_text.substr(0, equals);
            const auto& key = *std::ranges::find(keys, path, &SweptKey::path);
            if (key.values.size() > 1)
                combination.settings.emplace_back(path, override_text.substr(equals + 1));
        }
        if (plan.combinations.empty()) {
            plan.run_name = checked->config.run.name;
            plan.threads = checked->config.run.threads;
            for (int i = 0; i < seeds; ++i)
                plan.seeds.push_back(checked->config.run.seed + static_cast<std::uint64_t>(i));
        }
        plan.combinations.push_back(std::move(combination));
    }
    if (first) return fail(first->within("nothing was begun, because a combination is refused"));
    if (plan.combinations.size() * plan.seeds.size() > kMostRuns)
        return fail(DataError::kBadOption, fmt::format("that is more than {} runs", kMostRuns));
    return plan;
}

Status write_sweep(const SweepPlan& plan, const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
        return fail(FileError::kUnwritable,
                    "cannot make " + folder.string() + ": " + error.message());
    json combinations = json::array();
    for (const auto& combination : plan.combinations) {
        ESPER_CHECK_STATUS(
            write_file_atomic(folder / (combination.name + ".yaml"), combination.yaml));
        json settings = json::array();
        for (const auto& [path, value] : combination.settings) settings.push_back({path, value});
        combinations.push_back({{"name", combination.name}, {"settings", settings}});
    }
    const json sweep{{"version", 1},          {"config", plan.source},
                     {"name", plan.run_name}, {"combinations", combinations},
                     {"seeds", plan.seeds},   {"threads", plan.threads}};
    return write_file_atomic(folder / "sweep.json",
                             sweep.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

bool is_sweep(const fs::path& folder) {
    std::error_code ignored;
    return fs::exists(fs::symlink_status(folder / "sweep.json", ignored));
}

namespace {

// Names become folders and files below the sweep's: none but our own.
Result<Combination> read_combination(const json& entry, std::size_t number) {
    Combination combination;
    combination.name = fmt::format("c{}", number + 1);
    const auto settings = entry.find("settings");
    const bool fits = entry.is_object() && records::text_of(entry, "name") == combination.name &&
                      settings != entry.end() && settings->is_array();
    if (!fits)
        return fail(RecordsError::kBadRecord,
                    fmt::format("combination {} is not what a sweep writes", number + 1));
    for (const auto& setting : *settings) {
        if (!setting.is_array() || setting.size() != 2 || !setting[0].is_string() ||
            !setting[1].is_string())
            return fail(RecordsError::kBadRecord,
                        fmt::format("the settings of {} are not pairs of texts", combination.name));
        combination.settings.emplace_back(setting[0].get<std::string>(),
                                          setting[1].get<std::string>());
    }
    return combination;
}

Result<SweepPlan> parse_sweep(const std::string& text) {
    using enum records::FieldType;
    static constexpr records::Field kFields[] = {{"version", kInteger}, {"config", kText},
                                                 {"name", kText},       {"combinations", kList},
                                                 {"seeds", kList},      {"threads", kInteger}};
    ESPER_TRY(const auto object, records::parse_object(text));
    ESPER_CHECK_STATUS(records::check_fields(object, kFields));
    if (records::integer_of(object, "version") != 1)
        return fail(RecordsError::kBadRecord, fmt::format("it is of version {}, this build reads 1",
                                                          records::integer_of(object, "version")));
    SweepPlan plan;
    plan.source = records::text_of(object, "config");
    plan.run_name = records::text_of(object, "name");
    plan.threads = static_cast<int>(records::integer_of(object, "threads"));
    for (const auto& entry : object["combinations"]) {
        ESPER_TRY(auto combination, read_combination(entry, plan.combinations.size()));
        plan.combinations.push_back(std::move(combination));
    }
    for (const auto& seed : object["seeds"]) {
        if (!seed.is_number_unsigned())
            return fail(RecordsError::kBadRecord, "'seeds' holds something else than numbers");
        plan.seeds.push_back(seed.get<std::uint64_t>());
    }
    const auto runs = plan.combinations.size() * plan.seeds.size();
    if (runs == 0 || runs > kMostRuns)
        return fail(RecordsError::kBadRecord,
                    fmt::format("it has {} runs, expected 1 to {}", runs, kMostRuns));
    for (const auto& combination : plan.combinations)
        if (!std::ranges::equal(combination.settings, plan.combinations.front().settings, {},
                                &Setting::first, &Setting::first))
            return fail(RecordsError::kBadRecord, "its combinations are not of the same keys");
    return plan;
}

}  // namespace

Result<SweepPlan> read_sweep(const fs::path& folder) {
    const auto file = folder / "sweep.json";
    ESPER_TRY(const auto text, read_own_file(file, kMostBytes));
    auto plan = parse_sweep(text);
    if (!plan) return fail(plan.error().within(file.string()));
    for (auto& combination : plan->combinations) {
        ESPER_TRY(combination.yaml,
                  read_own_file(folder / (combination.name + ".yaml"), kMostBytes));
    }
    return plan;
}

std::string difference(const SweepPlan& kept, const SweepPlan& asked) {
    if (kept.seeds != asked.seeds)
        return fmt::format("it has {} seeds from {} on", kept.seeds.size(),
                           kept.seeds.empty() ? 0 : kept.seeds.front());
    if (kept.combinations.size() != asked.combinations.size())
        return fmt::format("it has {} combinations", kept.combinations.size());
    for (std::size_t c = 0; c < kept.combinations.size(); ++c) {
        const auto& before = kept.combinations[c];
        if (before.settings != asked.combinations[c].settings)
            return fmt::format("its {} is {}", before.name, before.in_words());
        if (before.yaml != asked.combinations[c].yaml)
            return fmt::format("another key of its configuration ({}.yaml) differs", before.name);
    }
    return "";
}

}  // namespace esper::cli
