#pragma once

#include "esper/configs/assignment.h"
#include "esper/configs/load.h"

namespace esper::configs {

/// Assigns keys from the environment, replacing earlier assignments: first common names
/// (`REDIS_URL`), then our own names (`ESPER_BUS__REDIS__URL`), which win. Empty variables count as
/// unset. A variable of ours that starts with a section's name but names no key is a problem; other
/// variables are ignored.
void apply_environment(const Environment& environment, Assignment& assignment);

}  // namespace esper::configs
