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

}  // namespace esper::cli
