#pragma once

#include <optional>
#include <string>

#include "esper/services/ports/kernel_supply.h"
#include "esper/services/urabrask/gauntlet.h"

namespace esper::supply {

/// The fastest kernel of a library that may be loaded for `need` and was measured on this kind of
/// machine; nothing where it has none. The library is closed again: a trial is a copy of this
/// process, which must have one thread. Errors: those of urza::open_library and Library::fetch.
Result<std::optional<urabrask::Named>> best_known(const std::string& library,
                                                  const ports::KernelNeed& need);

}  // namespace esper::supply
