#pragma once

#include "esper/configs/assignment.h"
#include "esper/configs/load.h"

namespace esper::configs {

/// Lays the environment over what is already assigned: first the ecosystem's own names
/// (`REDIS_URL`), over them ours (`ESPER_BUS__REDIS__URL`). Empty variables count as unset. A
/// variable of ours that starts with a section's name and is no key is a problem; other names are
/// left to whom they belong to.
void apply_environment(const Environment& environment, Assignment& assignment);

}  // namespace esper::configs
