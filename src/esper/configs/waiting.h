#pragma once

#include <span>
#include <string>
#include <string_view>

#include "esper/configs/schema.h"

namespace esper::configs {

/// A key, or every key of a section, that is declared before there is something that reads it. The
/// loader refuses it unless it has its default, so that nobody believes in a setting that does
/// nothing.
struct Waiting {
    std::string_view path;
    std::string_view value;  ///< only this choice of the key waits; empty: all but the default
    std::string_view waits_for;
    std::string_view instead;  ///< what to set meanwhile; empty: the default
};

/// The table of all of them. Whoever makes a key live takes its line out.
std::span<const Waiting> waiting_keys();

/// The line that a key falls under; null for a key that is read.
const Waiting* find_waiting(const Key& key);

/// Why the key's value is refused; empty where it is not.
std::string refuse_waiting(std::size_t key, const EsperConfig& config);

}  // namespace esper::configs
