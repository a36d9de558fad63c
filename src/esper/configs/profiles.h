#pragma once

#include <span>
#include <string_view>

#include "esper/configs/run.h"

namespace esper::configs {

struct ProfileValue {
    std::string_view path;
    std::string_view value;
};

/// What a profile sets.
std::span<const ProfileValue> profile_values(Profile profile);

}  // namespace esper::configs
