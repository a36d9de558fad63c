#pragma once

#include <string>
#include <vector>

#include "esper/configs/config.h"
#include "esper/configs/values.h"

namespace esper::configs {

/// All keys with their values as a YAML file. `load_config` reads it back as the same
/// configuration, except for masked secrets.
std::string to_yaml(const EsperConfig& config, MaskSecrets mask = MaskSecrets::kYes);

/// The same with each key's meaning and choices as comments, as in the shipped default file.
std::string to_commented_yaml(const EsperConfig& config);

/// One key whose value differs between two configurations.
struct Difference {
    std::string path;
    std::string before;
    std::string after;
};

/// The keys that differ, in order of declaration. Secrets are masked.
std::vector<Difference> differences(const EsperConfig& before, const EsperConfig& after);

}  // namespace esper::configs
