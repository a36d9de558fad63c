#pragma once

#include "esper/configs/config.h"

namespace esper::tolaria {

/// The same configuration with its paths written in full, because a run is moved and looked at from
/// elsewhere. A path that leads nowhere stays as it is.
configs::EsperConfig with_whole_paths(configs::EsperConfig config);

}  // namespace esper::tolaria
