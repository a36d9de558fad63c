#pragma once

#include <filesystem>

#include "esper/execution/kernels/trust/key_ring.h"
#include "esper/services/urza/library_copy.h"

namespace esper::urza {

/// What went wrong while a backup was read: what can only come from damage to it, and has no value
/// that says so, becomes kDamaged.
Error as_damage(const std::filesystem::path& folder, const Error& error);

/// Everything that DatabaseLibrary::verify looks at, by these keys, and whether each table can be
/// copied. Kernels of an older interface, and of a revoked key, are no damage. Errors: of the first
/// thing that is wrong, as as_damage; those of Database where it cannot be read.
Status check_backup(BackupToRead& backup, const std::filesystem::path& folder,
                    const execution::KeyRing& ring);

}  // namespace esper::urza
