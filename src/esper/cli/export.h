#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "esper/base/error.h"

namespace esper::cli {

/// Writes the network of a run's checkpoint (empty: the commands' default), with one of its
/// adapters where one is named, as plain PyTorch into `out` (empty: export/ in the run's folder, or
/// export-<adapter>/), and says on standard error which one it was. The files. Errors: those of
/// reading the run and its adapter and of writing; OwnFileError::kSymbolicLink.
Result<std::vector<std::filesystem::path>> export_network(const std::filesystem::path& folder,
                                                          const std::string& checkpoint,
                                                          const std::filesystem::path& out,
                                                          const std::string& adapter = {});

}  // namespace esper::cli
