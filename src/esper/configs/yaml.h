#pragma once

#include <string>
#include <vector>

#include "esper/configs/config.h"
#include "esper/configs/values.h"

namespace esper::configs {

/// Every key with its value, as a YAML file that `load_config` reads back as the same
/// configuration (with secrets masked: the same but for them).
std::string to_yaml(const EsperConfig& config, MaskSecrets mask = MaskSecrets::kYes);

/// The same with each key's meaning and choices as comments: what the shipped default file is.
std::string to_commented_yaml(const EsperConfig& config);

/// One key whose value differs between two configurations.
struct Difference {
    std::string path;
    std::string before;
    std::string after;
};

/// Keys that differ, in order of declaration; secrets are masked.
std::vector<Difference> differences(const EsperConfig& before, const EsperConfig& after);

}  // namespace esper::configs
