#include "esper/cli/data_info.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <optional>

#include "esper/base/text.h"
#include "esper/cli/own_data.h"
#include "esper/cli/sample_pictures.h"
#include "esper/services/tolaria/data/batches_in_order.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/utf8.h"
#include "esper/services/tolaria/host/setup.h"

namespace esper::cli {

namespace {

using tolaria::Batch;
using tolaria::Dataset;
using tolaria::Part;
using tolaria::Task;

constexpr std::size_t kShownClasses = 20;
constexpr std::size_t kShownInputs = 8;
constexpr int kColumns = 80;

bool shows_colours() {
    const auto is_set = [](const char* name) {
        const char* value = std::getenv(name);
        return value != nullptr && *value != '\0';
    };
    return isatty(STDOUT_FILENO) == 1 && !is_set("NO_COLOR") && !is_set("CI");
}

std::string name_of_class(const tolaria::DatasetInfo& info, std::size_t number) {
    return number < info.class_names.size() ? tolaria::shown_name(info.class_names[number])
                                            : fmt::format("{}", number);
}

/// In how many examples each class comes, or each label holds.
Result<std::vector<std::uint64_t>> count_classes(const Dataset& data) {
    std::vector<std::uint64_t> counts(static_cast<std::size_t>(data.info().classes));
    const auto add = [&](const Batch& batch) {
        for (const auto target : batch.targets) ++counts[static_cast<std::size_t>(target)];
        for (std::size_t i = 0; i < batch.values.size(); ++i)
            counts[i % counts.size()] += batch.values[i] > 0 ? 1 : 0;
    };
    for (const auto part : tolaria::kAllParts)
        ESPER_CHECK_STATUS(tolaria::take_in_order(data, part, data.size(part), add));
    return counts;
}

std::string sizes_of(const Dataset& data) {
    std::vector<std::string> words;
    for (const auto part : tolaria::kAllParts)
        words.push_back(fmt::format("{} {}", data.size(part), tolaria::to_text(part)));
    return join(words, ", ");
}

std::string inputs_of(const tolaria::DatasetInfo& info) {
    const auto& shape = info.input_shape;
    if (info.tokens) return fmt::format("tokens of {} kinds", info.classes);
    if (shape.size() == 1) return fmt::format("{} numbers", shape[0]);
    return fmt::format("images of {} x {} pixels, {} channel{}", shape[1], shape[2], shape[0],
                       shape[0] == 1 ? "" : "s");
}

std::string classes_of(const tolaria::DatasetInfo& info, const std::vector<std::uint64_t>& counts) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < std::min(counts.size(), kShownClasses); ++i)
        words.push_back(fmt::format("{} {}", name_of_class(info, i), counts[i]));
    if (counts.size() > kShownClasses)
        words.push_back(fmt::format("and {} more", counts.size() - kShownClasses));
    return join(words, ", ");
}

std::string labels_of(const tolaria::DatasetInfo& info, const Batch& batch, std::size_t example) {
    std::vector<std::string> names;
    const auto labels = static_cast<std::size_t>(info.classes);
    for (std::size_t l = 0; l < labels; ++l)
        if (batch.values[example * labels + l] > 0) names.push_back(name_of_class(info, l));
    return names.empty() ? "no label" : join(names, " + ");
}

Result<std::string> sample_rows(const Dataset& data) {
    const auto& info = data.info();
    Batch batch;
    batch.indices.resize(std::min<std::size_t>(3, data.size(Part::kTrain)));
    std::iota(batch.indices.begin(), batch.indices.end(), 0U);
    ESPER_CHECK_STATUS(tolaria::fill_batch(data, Part::kTrain, std::nullopt, batch));
    const auto features = static_cast<std::size_t>(info.input_elements());
    std::string out;
    for (std::size_t i = 0; i < batch.indices.size(); ++i) {
        std::vector<std::string> numbers;
        for (std::size_t f = 0; f < std::min(features, kShownInputs); ++f)
            numbers.push_back(fmt::format("{:.2f}", batch.pixels[i * features + f]));
        const auto target =
            info.task == Task::kMultiLabel ? labels_of(info, batch, i)
            : info.task == Task::kRegression
                ? fmt::format("{:.5g}", batch.values[i] * info.target_deviation + info.target_mean)
                : name_of_class(info, static_cast<std::size_t>(batch.targets[i]));
        out += fmt::format("  sample      [{}{}] -> {}\n", join(numbers, ", "),
                           features > kShownInputs ? ", ..." : "", target);
    }
    return out;
}

Result<std::string> sample_text(const Dataset& data) {
    constexpr std::uint32_t kWindows = 24;
    Batch batch;
    batch.indices.resize(std::min(kWindows, data.size(Part::kTrain)));
    std::iota(batch.indices.begin(), batch.indices.end(), 0U);
    ESPER_CHECK_STATUS(tolaria::fill_batch(data, Part::kTrain, std::nullopt, batch));
    std::string text;
    tolaria::Utf8Stream stream;
    for (const auto token : batch.tokens)
        text += stream.take(data.info().class_names[static_cast<std::size_t>(token)]);
    std::string out;
    for (const auto& line : split(text, '\n')) out += "  | " + tolaria::shown_name(line) + "\n";
    return out;
}

/// How much the classes or labels count in the loss, where they do not count alike.
std::string weights_of(const tolaria::DatasetInfo& info,
                       const std::optional<tolaria::SoftTargets>& soft) {
    if (!soft || soft->class_weights.empty()) return "";
    const auto& weights = soft->class_weights;
    std::vector<std::string> words;
    for (std::size_t i = 0; i < std::min(weights.size(), kShownClasses); ++i)
        words.push_back(fmt::format("{} {:.4g}", name_of_class(info, i), weights[i]));
    if (weights.size() > kShownClasses)
        words.push_back(fmt::format("and {} more", weights.size() - kShownClasses));
    return fmt::format("  weights     {}\n", join(words, ", "));
}

/// What is printed, kept in a file, is a configuration: all but the configuration is a comment.
std::string as_comment(const std::string& lines) {
    std::string out;
    for (const auto& line : split(lines, '\n')) out += line.empty() ? "#\n" : "# " + line + "\n";
    return out;
}

}  // namespace

Status show_data(const InfoArguments& arguments) {
    ESPER_TRY(const auto own, look_at_own_data(arguments.path, arguments.overrides,
                                               configs::process_environment()));
    // The parts as the run will have them.
    configs::LoadOptions options;
    options.overrides = arguments.overrides;
    options.env = configs::process_environment();
    ESPER_TRY(const auto chosen, configs::parse_config(tolaria::to_yaml(own.choices),
                                                       "chosen for " + arguments.path, options));
    ESPER_TRY(const auto opened, tolaria::open_data(chosen.config));
    const auto& data = *opened;
    const auto& info = data.info();
    std::string out = fmt::format("{}: {}\n", arguments.path, own.recognised.what);
    out += fmt::format("  task        {}{}\n", tolaria::to_text(info.task),
                       info.target_name.empty()
                           ? ""
                           : fmt::format(" of '{}'", tolaria::shown_name(info.target_name)));
    out += fmt::format("  inputs      {}\n", inputs_of(info));
    if (info.task == Task::kRegression)
        out += fmt::format("  target      mean {:.5g}, deviation {:.5g} in the train part\n",
                           info.target_mean, info.target_deviation);
    if (info.task == Task::kMultiLabel) {
        ESPER_TRY(const auto counts, count_classes(data));
        out += fmt::format("  labels      {}: {}\n", info.classes, classes_of(info, counts));
    }
    if (info.task == Task::kClassification) {
        ESPER_TRY(const auto counts, count_classes(data));
        out += fmt::format("  classes     {}: {}\n", info.classes, classes_of(info, counts));
    }
    ESPER_TRY(const auto soft, tolaria::soft_targets_of(chosen.config, data));
    out += weights_of(info, soft);
    out += fmt::format("  examples    {}\n", sizes_of(data));
    out += fmt::format("  fingerprint {}\n", info.fingerprint);
    for (const auto& note : info.notes) out += fmt::format("  note        {}\n", note);
    if (info.tokens) {
        ESPER_TRY(const auto text, sample_text(data));
        out += text;
    } else if (info.input_shape.size() == 1) {
        ESPER_TRY(const auto rows, sample_rows(data));
        out += rows;
    } else {
        ESPER_TRY(const auto pictures, draw_samples(data, shows_colours(), kColumns));
        out += pictures;
    }
    if (!arguments.png.empty()) {
        if (info.input_shape.size() != 3)
            return fail(tolaria::DataError::kBadOption, "--png draws images; these data are none");
        ESPER_CHECK_STATUS(write_samples(data, arguments.png));
        out += fmt::format("  samples of the training images are in {}\n", arguments.png);
    }
    out = as_comment(out);
    std::string overrides;
    for (const auto& word : arguments.overrides)
        overrides += fmt::format(" \"{}\"", tolaria::shown_name(word, 200));
    out += fmt::format(
        "\n# What 'esper train {}{}' trains; kept in a .yaml file it is a configuration{}.\n{}",
        arguments.path, overrides,
        overrides.empty() ? "" : fmt::format(" for 'esper train FILE.yaml{}'", overrides),
        tolaria::to_yaml(own.choices));
    std::fputs(out.c_str(), stdout);
    return {};
}

}  // namespace esper::cli
