#include "esper/cli/training_config.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "esper/cli/own_data.h"
#include "esper/cli/print.h"
#include "esper_embedded.h"  // made by CMake

namespace esper::cli {

namespace {

std::string standard_input() {
    std::string text;
    std::array<char, 1 << 16> piece{};
    while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), stdin))
        text.append(piece.data(), n);
    return text;
}

// The choices stand above the run that they make, so that a reader can copy and change them.
void show_choices(const OwnData& data, const OutputFlags& output) {
    if (output.json) {
        auto choices = nlohmann::json::array();
        for (const auto& c : data.choices)
            choices.push_back({{"key", c.key}, {"value", c.value}, {"why", c.why}});
        print_json_line({{"event", "recipe"},
                         {"data", data.recognised.what},
                         {"notes", data.dataset->info().notes},
                         {"choices", choices}});
    } else if (!output.quiet) {
        std::fprintf(stderr, "%s\n", in_words(data).c_str());
    }
}

}  // namespace

Result<configs::LoadedConfig> load_training_config(const std::string& file,
                                                   const configs::LoadOptions& options,
                                                   const OutputFlags& output) {
    if (file.empty())
        return configs::parse_config(kShakespeare, "configs/shakespeare.yaml (built in)", options);
    if (is_own_data(file)) {
        ESPER_TRY(const auto data, look_at_own_data(file, options.overrides, options.env));
        show_choices(data, output);
        return configs::parse_config(tolaria::to_yaml(data.choices), "chosen for " + file, options);
    }
    if (file == "-") return configs::parse_config(standard_input(), "standard input", options);
    return configs::load_config_with_origins(options);
}

}  // namespace esper::cli
