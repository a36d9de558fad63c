#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "esper/configs/config.h"
#include "esper/configs/errors.h"

namespace esper::configs {

using Environment = std::map<std::string, std::string>;

/// The variables of this process.
Environment process_environment();

/// Where a configuration comes from, weakest first: the defaults, a profile, the file, the
/// environment, the overrides.
struct LoadOptions {
    std::filesystem::path path = {};  ///< empty: no file
    /// Empty: the one that `run.profile` names in the overrides, the environment or the file.
    std::string profile = {};
    std::vector<std::string> overrides = {};  ///< `growth.gate.delta=0.1`
    Environment env = {};  ///< empty: the environment is not looked at; see process_environment
    /// True: the file is a run's own config.yaml. What it says of keys that nothing reads was of no
    /// effect when the run began, so it is passed over instead of refused.
    bool of_a_run = false;
};

struct LoadedConfig {
    EsperConfig config;
    /// Where each value that is not a default came from, by its dotted path.
    std::map<std::string, std::string> origins;
    /// What is allowed but unlikely to be meant.
    std::vector<std::string> warnings;
};

/// Reads, lays over each other and checks all sources. On failure one error names every problem
/// found, each with its place, what was expected and what came. Masked secrets (`***`) read as
/// unset.
Result<EsperConfig> load_config(const LoadOptions& options);
Result<LoadedConfig> load_config_with_origins(const LoadOptions& options);

/// The same for a YAML text instead of a file; `name` stands for it in messages, options.path is
/// not looked at.
Result<LoadedConfig> parse_config(std::string_view yaml, const std::string& name,
                                  const LoadOptions& options = {});

/// Checks a configuration that was built in code: every key's rule and every relation between keys.
Status check_config(const EsperConfig& config);

}  // namespace esper::configs
