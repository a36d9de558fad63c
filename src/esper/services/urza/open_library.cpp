#include <fmt/format.h>

#include <filesystem>

#include "esper/base/environment.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/postgres_database.h"
#include "esper/services/urza/remote_library.h"
#include "esper/services/urza/server_address.h"

// Which kind of library an address names.

namespace esper::urza {
namespace {

namespace fs = std::filesystem;

bool is_url(std::string_view address) { return address.find("://") != std::string_view::npos; }

/// Refuses what would be taken for the name of a folder.
Status check_folder(const std::string& address, const std::string& objects) {
    if (is_url(address))
        return fail(
            UrzaError::kBadAddress,
            fmt::format("{}: expected a folder, postgresql://USER@HOST/DATABASE or, where a server "
                        "will do, http(s)://HOST:PORT",
                        without_password(address)));
    if (objects.empty()) return {};
    return fail(UrzaError::kBadAddress,
                fmt::format("{} is a folder, whose objects lie in it; another place for them (got "
                            "{}) goes with a library in a database",
                            address, objects));
}

}  // namespace

fs::path default_folder() {
    if (const fs::path data = environment("XDG_DATA_HOME"); !data.empty())
        return data / "esper/library";
    return fs::path(environment("HOME")) / ".local/share/esper/library";
}

std::string default_library_path() {
    const std::string chosen = environment("ESPER_LIBRARY");
    return chosen.empty() ? default_folder().string() : chosen;
}

fs::path local_folder(const std::string& address) {
    const std::string named = address.empty() ? default_library_path() : address;
    return is_url(named) ? default_folder() : fs::path(named);
}

std::string shown_address(const std::string& address) { return without_password(address); }

Result<std::unique_ptr<DatabaseLibrary>> open_database_library(const std::string& path,
                                                               const std::string& objects) {
    const std::string address = path.empty() ? default_library_path() : path;
    if (is_postgres(address)) return open_postgres_library(address, objects);
    ESPER_CHECK_STATUS(check_folder(address, objects));
    return open_folder_library(address);
}

Result<std::unique_ptr<Library>> open_library(const std::string& path, const std::string& objects) {
    const std::string address = path.empty() ? default_library_path() : path;
    if (is_server(address)) {
        if (!objects.empty())
            return fail(UrzaError::kBadAddress,
                        address +
                            " is a server, which knows where its objects lie; leave out "
                            "--objects");
        ESPER_TRY(auto remote, RemoteLibrary::open(address));
        return std::unique_ptr<Library>(std::move(remote));
    }
    ESPER_TRY(auto library, open_database_library(address, objects));
    return std::unique_ptr<Library>(std::move(library));
}

Result<std::unique_ptr<Library>> open_library_to_read(const std::string& path) {
    if (is_server(path)) {
        ESPER_TRY(auto library, RemoteLibrary::open(path, {.to_look_at = true}));
        return std::unique_ptr<Library>(std::move(library));
    }
    if (is_postgres(path)) {
        ESPER_TRY(auto library, open_postgres_library_to_read(path));
        return std::unique_ptr<Library>(std::move(library));
    }
    ESPER_CHECK_STATUS(check_folder(path, ""));
    ESPER_TRY(auto library, open_folder_library_to_read(path));
    return std::unique_ptr<Library>(std::move(library));
}

}  // namespace esper::urza
