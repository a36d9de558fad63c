#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/configs/problems.h"

namespace esper::configs {

/// The content of a YAML text; each node has its line.
struct YamlNode {
    enum class Kind { kNull, kScalar, kList, kMap };
    struct Entry;

    Kind kind = Kind::kNull;
    int line = 0;
    std::string text;             ///< for a scalar
    std::vector<YamlNode> items;  ///< for a list
    std::vector<Entry> entries;   ///< for a map, in order, with unique keys
};

struct YamlNode::Entry {
    std::string key;
    int line = 0;
    YamlNode value;
};

/// Limits of a YAML text, about ten times what a usual configuration needs.
struct YamlLimits {
    std::size_t bytes = 256 * 1024;
    std::size_t depth = 16;
    std::size_t nodes = 10000;
};

/// Reads one YAML document of maps, lists and scalars. Refuses anchors, aliases, tags, further
/// documents and keys that are not words. Reports a repeated key and keeps the first one. Returns
/// nothing if the text cannot be read. All faults are added to `problems`.
std::optional<YamlNode> read_yaml(std::string_view text, const std::string& source,
                                  Problems& problems, const YamlLimits& limits = {});

}  // namespace esper::configs
