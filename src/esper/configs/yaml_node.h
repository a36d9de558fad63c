#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/configs/problems.h"

namespace esper::configs {

/// What a YAML text says, each piece with its line.
struct YamlNode {
    enum class Kind { kNull, kScalar, kList, kMap };
    struct Entry;

    Kind kind = Kind::kNull;
    int line = 0;
    std::string text;             ///< of a scalar
    std::vector<YamlNode> items;  ///< of a list
    std::vector<Entry> entries;   ///< of a map, in order, keys unique
};

struct YamlNode::Entry {
    std::string key;
    int line = 0;
    YamlNode value;
};

/// An honest configuration has a tenth of any of these.
struct YamlLimits {
    std::size_t bytes = 256 * 1024;
    std::size_t depth = 16;
    std::size_t nodes = 10000;
};

/// Reads one YAML document of maps, lists and scalars. Anchors, aliases, tags, further documents
/// and keys that are not words are refused, a repeated key is reported (the first one stays).
/// Nothing is returned where the text cannot be understood; every fault is in `problems`.
std::optional<YamlNode> read_yaml(std::string_view text, const std::string& source,
                                  Problems& problems, const YamlLimits& limits = {});

}  // namespace esper::configs
