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
/// of it, or nothing but objects. The keys that sealed it must be those of `address`. Errors: as
/// open_library, kConflict where it is not empty, those of verify_ledger where the keys are others.
Result<Copied> restore(const std::filesystem::path& folder, const std::string& address,
                       const std::string& objects);

}  // namespace esper::urza
