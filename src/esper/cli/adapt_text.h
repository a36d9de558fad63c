#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "esper/services/tolaria/adapt/adaptation.h"

namespace esper::cli {

/// What `esper adapt` says: each stage (tolaria::adapt's news) on standard error, the end on
/// standard output. `file` is the adapter's, empty where it was not kept.

void show_adapting(const nlohmann::json& news);
nlohmann::json adapted_json(const tolaria::Adaptation& done, const std::string& file);
void show_adapted(const tolaria::Adaptation& done, const std::string& file);

}  // namespace esper::cli
