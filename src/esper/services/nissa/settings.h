#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace esper::nissa {

/// The keys of a config.yaml with their values as text, e.g. `"optimization.learning_rate":
/// "0.002"`; a list is one text. Empty for what is no such file (configs::read_yaml).
nlohmann::json settings_of(std::string_view yaml);

}  // namespace esper::nissa
