#pragma once

#include <string>
#include <string_view>

#include "esper/configs/assignment.h"
#include "esper/configs/yaml_node.h"

namespace esper::configs {

/// Lays a YAML document over what is already assigned.
void apply_yaml(const YamlNode& root, const std::string& source, Assignment& assignment);

/// The scalar at a dotted path, or nothing; for what must be known before the rest is laid over.
const YamlNode* find_scalar(const YamlNode& root, std::string_view path);

}  // namespace esper::configs
