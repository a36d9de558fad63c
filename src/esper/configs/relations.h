#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/configs/config.h"

namespace esper::configs {

/// Called once for each relation that does not hold, with the keys that take part in it.
using Complain =
    std::function<void(std::initializer_list<std::string_view> paths, std::string message)>;

/// What must hold between keys, beyond the rule of each.
void check_relations(const EsperConfig& config, const Complain& complain);

/// The keys that shape a built-in host; a network from model.path brings all of that itself.
std::span<const std::string_view> shape_keys();

/// What is allowed but unlikely to be meant.
std::vector<std::string> find_warnings(const EsperConfig& config);

}  // namespace esper::configs
