#include "esper/cli/own_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/text_files.h"
#include "esper/services/tolaria/host/setup.h"

namespace esper::cli {

namespace {

// How data are read; what is chosen for them depends on it.
constexpr std::array<std::string_view, 6> kReadingKeys = {"data.target",    "data.task",
                                                          "data.tokenizer", "data.image_size",
                                                          "data.corrupt",   "data.split.seed"};

bool says_how_to_read(const std::string& override_text) {
    const auto key = override_text.substr(0, override_text.find('='));
    return std::ranges::find(kReadingKeys, key) != kReadingKeys.end();
}

std::string variable_of(std::string_view key) {
    std::string name = "ESPER_";
    for (const char c : key) {
        if (c == '.')
            name += "__";
        else
            name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return name;
}

std::string host_for(configs::DataKind kind) {
    using configs::DataKind;
    return kind == DataKind::kText || kind == DataKind::kTokens ? "gpt" : "mlp";
}

// A short window counts the tokens of a short text, too.
constexpr const char* kWindow = "8";

}  // namespace

bool is_own_data(const std::string& path) {
    std::error_code none;
    if (path.empty() || path == "-") return false;
    return (std::filesystem::exists(path, none) || tolaria::is_pattern(path)) &&
           !tolaria::looks_like_configuration(path);
}

Result<OwnData> look_at_own_data(const std::string& path, const std::vector<std::string>& overrides,
                                 const configs::Environment& env) {
    OwnData own;
    ESPER_TRY(own.recognised, tolaria::recognise(path));
    const auto kind = own.recognised.kind;
    configs::LoadOptions options;
    std::ranges::copy_if(overrides, std::back_inserter(options.overrides), says_how_to_read);
    for (const auto key : kReadingKeys)
        if (const auto found = env.find(variable_of(key)); found != env.end())
            options.env.insert(*found);
    const auto yaml = fmt::format(
        "data: {{kind: {}, path: {}{}}}\nmodel: {{host: {}, context: {}}}\n",
        contracts::to_text(kind), nlohmann::json(path).dump(),
        configs::brings_test(kind) ? ", split: {test: 0}" : "", host_for(kind), kWindow);
    ESPER_TRY(const auto config, configs::parse_config(yaml, path, options));
    ESPER_TRY(own.dataset, tolaria::open_data(config.config));
    own.choices = tolaria::choose_recipe(own.recognised, path, *own.dataset);
    return own;
}

std::string in_words(const OwnData& data) {
    std::string out;
    for (const auto& note : data.dataset->info().notes) out += "# " + note + "\n";
    return out + tolaria::to_yaml(data.choices);
}

}  // namespace esper::cli
