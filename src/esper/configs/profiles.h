#pragma once

#include <span>
#include <string_view>

#include "esper/configs/run.h"

namespace esper::configs {

struct ProfileValue {
    std::string_view path;
    std::string_view value;
};

/// The keys that a profile sets, with their values.
std::span<const ProfileValue> profile_values(Profile profile);

}  // namespace esper::configs
