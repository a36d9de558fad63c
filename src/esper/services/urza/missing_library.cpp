#include "esper/services/urza/missing_library.h"

#include <fmt/format.h>

#include <filesystem>

#include "esper/base/files.h"
#include "esper/services/urza/library.h"
#include "esper/services/urza/library_copy.h"

namespace esper::urza {

namespace fs = std::filesystem;

Status refuse_missing(const std::string& address) {
    const std::string named = address.empty() ? default_library_path() : address;
    if (named.find("://") != std::string::npos) return {};
    const auto is_there = [&](const char* name) {
        std::error_code ignored;
        return fs::status(fs::path(named) / name, ignored).type() != fs::file_type::not_found;
    };
    // Objects without a database are what is left of a library: opening it says so.
    if (is_there(kDatabaseFile) || is_there("objects")) return {};
    return fail(FileError::kNotFound,
                fmt::format("there is no library in {}: it holds no {}; name another with "
                            "--library or ESPER_LIBRARY, or make one with esper library ls",
                            named, kDatabaseFile));
}

}  // namespace esper::urza
