#pragma once

#include <filesystem>

#include "esper/services/tolaria/run/trainer.h"

namespace esper::cli {

struct OutputFlags {
    bool json = false;
    bool quiet = false;
};

/// Trains to the end, to a failure or to Ctrl-C, showing it; writes the report at the end and tells
/// what grew and why. Returns the exit code.
int drive(tolaria::Trainer& trainer, const std::filesystem::path& folder, const OutputFlags& flags);

/// While a run is being made ready: SIGUSR1 asks a running one to go back and would end this one.
void ignore_rollback_requests();

}  // namespace esper::cli
