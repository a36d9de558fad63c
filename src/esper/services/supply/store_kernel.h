#pragma once

#include <string>

#include "esper/execution/kernels/trust/key_folder.h"
#include "esper/services/tezzeret/forge.h"
#include "esper/services/urza/library.h"

namespace esper::supply {

/// Puts what the forge made into the library: the branch as a blueprint that descends from the
/// catalogue's `blueprint`/`kind`, the kernel sealed by the forge's key, and the verdict of its
/// trial sealed by the gauntlet's. A kernel that was wrong is stored as rejected; nothing is stored
/// where nothing was compiled. Returns the kernel's id, "" for none.
Result<std::string> store_kernel(urza::Library& library, const execution::KeyFolder& keys,
                                 const std::string& blueprint, const std::string& kind,
                                 const tezzeret::Order& order, const tezzeret::Forged& made);

/// Whether this user may put kernels there, and seal them; to be asked before hours of compiling.
/// Errors: those of Library::may_change, kNoKey.
Status may_store(const urza::Library& library, const execution::KeyFolder& keys);

}  // namespace esper::supply
