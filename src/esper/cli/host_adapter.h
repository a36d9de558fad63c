#pragma once

#include <filesystem>
#include <string>

#include "esper/cli/run_state.h"
#include "esper/services/tolaria/adapt/adapter_file.h"

namespace esper::cli {

/// Puts an adapter of the run in `folder`, by its name or its file, on the network that was read
/// from there: run.program() is the adapted one afterwards. Errors: those of AdapterFolder::find
/// and of put_on.
Result<tolaria::AdapterFile> put_adapter_on(RunState& run, const std::filesystem::path& folder,
                                            const std::string& name_or_file);

/// The help text of --adapter, the same on every command that has it.
inline constexpr const char* kAdapterHelp =
    "with an adapter of the run ('esper adapters ls RUN'), or an adapter's file";

}  // namespace esper::cli
