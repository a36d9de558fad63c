#pragma once

#include <filesystem>

#include "esper/services/urza/urza_error.h"

namespace esper::urza {

/// Refuses a folder on a network file system: SQLite's locks and its shared memory do not work
/// between machines, and files get damaged there (https://www.sqlite.org/wal.html, section 8).
/// Fault point: urza.network_file_system. Error: kNetworkFileSystem.
Status refuse_network(const std::filesystem::path& folder);

/// Makes the folder, mode 0700, where it is missing. Error: kReadOnly.
Status make_private_folder(const std::filesystem::path& folder);

}  // namespace esper::urza
