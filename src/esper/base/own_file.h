#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "esper/base/error.h"

namespace esper {

#define ESPER_OWN_FILE_ERRORS(X) X(kSymbolicLink, kVerification)
ESPER_DEFINE_ERRORS(OwnFileError, "own files", ESPER_OWN_FILE_ERRORS)

/// Like read_file, for a file that Esper itself makes, as those of a run: there a symbolic link is
/// not ours and leads to somebody else's file. LineAppender and truncate_file, which write into
/// such files, refuse one in the same way.
/// Errors: those of read_file, kSymbolicLink.
Result<std::string> read_own_file(const std::filesystem::path& path,
                                  std::uint64_t limit = std::uint64_t{1} << 34);

}  // namespace esper
