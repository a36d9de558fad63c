#pragma once

#include <filesystem>

#include "esper/program/program.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

/// A Program to train from scratch (`model.path`): a file in its text or binary form, or the folder
/// of a run, whose journal is replayed to the network that run ended with. Seeds that were kept are
/// ordinary parts of it. Only the architecture is taken, never a value.
/// Errors: kUnsupported where seeds in it are still undecided or it does not fit `data`;
/// those of files, journals and of reading a Program.
Result<graph::ProgramPtr> read_saved_host(const std::filesystem::path& path,
                                          const DatasetInfo& data);

}  // namespace esper::tolaria
