// The reader of configurations: any bytes must give a configuration that keeps its rules, or an
// error, never a crash. An accepted configuration must print as text that reads back the same.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "esper/configs/load.h"
#include "esper/configs/yaml.h"

using namespace esper::configs;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    LoadOptions options;
    // What follows a NUL is an override.
    if (const auto end = text.find('\0'); end != std::string_view::npos) {
        options.overrides.emplace_back(text.substr(end + 1));
        text = text.substr(0, end);
    }
    const auto loaded = parse_config(text, "fuzz", options);
    if (!loaded) return loaded.error().message().empty() ? (std::abort(), 0) : 0;
    if (!check_config(loaded->config)) std::abort();
    const auto again = parse_config(to_yaml(loaded->config, MaskSecrets::kNo), "again");
    if (!again || !(again->config == loaded->config)) std::abort();
    return 0;
}
