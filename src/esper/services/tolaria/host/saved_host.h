#pragma once

#include <filesystem>

#include "esper/program/program.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

/// Reads a Program to train from scratch (`model.path`): a file in text or binary form, or the
/// folder of a run, whose journal is replayed to the run's last network. Seeds that were kept
/// become ordinary parts. Only the architecture is read, no values. Errors: kUnsupported if seeds
/// in it are undecided or if it does not fit `data`; those of files, journals and of reading a
/// Program.
Result<graph::ProgramPtr> read_saved_host(const std::filesystem::path& path,
                                          const DatasetInfo& data);

}  // namespace esper::tolaria
