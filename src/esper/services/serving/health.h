#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "esper/services/serving/router.h"

namespace esper::serving {

/// Adds GET /health (the process answers: always 200) and GET /ready (200, or 503 with what the
/// role waits for). `waits_for` returns that in words and is empty when the role is ready. `about`
/// is an object whose members /health has, too.
void add_health(Router& router, const std::string& role,
                std::function<std::vector<std::string>()> waits_for,
                const nlohmann::json& about = nlohmann::json::object());

}  // namespace esper::serving
