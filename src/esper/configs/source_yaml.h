#pragma once

#include <string>
#include <string_view>

#include "esper/configs/assignment.h"
#include "esper/configs/yaml_node.h"

namespace esper::configs {

/// Assigns keys from a YAML document, replacing earlier assignments.
void apply_yaml(const YamlNode& root, const std::string& source, Assignment& assignment);

/// The scalar at a dotted path, or null; for keys that are needed before the others are assigned.
const YamlNode* find_scalar(const YamlNode& root, std::string_view path);

}  // namespace esper::configs
