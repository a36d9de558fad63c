#pragma once

#include <functional>
#include <string>
#include <vector>

#include "esper/services/serving/router.h"

namespace esper::serving {

/// Adds GET /health (the process answers: always 200) and GET /ready (200, or 503 with what the
/// role waits for). `waits_for` returns that in words and is empty when the role is ready.
void add_health(Router& router, const std::string& role,
                std::function<std::vector<std::string>()> waits_for);

}  // namespace esper::serving
