#pragma once

#include <filesystem>

#include "esper/services/urza/urza_error.h"

namespace esper::urza {

struct Copied {
    std::uint64_t rows = 0, objects = 0;
};

/// Copies the library at `address` (as open_library) into a new folder, as it is at one moment
/// while others go on using it: a library with a SQLite file that can be verified and read, with
/// the ring of public keys and no secret. Errors: as open_library, kConflict where the folder is
/// there.
Result<Copied> back_up(const std::string& address, const std::string& objects,
                       const std::filesystem::path& folder);

/// Copies what back_up() made, or any library in a folder, into an empty library at `address`: all
/// of it, or nothing; what a failure leaves in a database can be restored into again. The keys that
/// sealed it must be those of `address`; a folder that has none gets a copy of those of the
/// library that this user uses, of default_folder() or of the backup. None are made. Errors: as
/// open_library, FileError's kNotFound where there is no backup, kConflict where the library is not
/// empty, those of check_backup for a damaged backup, those of verify_ledger where the keys are
/// others.
Result<Copied> restore(const std::filesystem::path& folder, const std::string& address,
                       const std::string& objects);

}  // namespace esper::urza
