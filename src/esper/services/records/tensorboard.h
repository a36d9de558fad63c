#pragma once

#include <filesystem>

#include "esper/services/records/records_errors.h"

namespace esper::records {

/// Writes the figures of a run's metrics.csv as an event file for TensorBoard,
/// `tb/events.out.tfevents.esper` in its folder: a scalar for each column of each epoch, in
/// TFRecord framing (length, masked CRC-32C, protocol buffer). The file is replaced whole; what it
/// held of the same epochs it holds again to the byte, so that a reader that follows it goes on.
/// Errors: those of reading metrics.csv and of writing; OwnFileError::kSymbolicLink.
Status write_tensorboard(const std::filesystem::path& run);

}  // namespace esper::records
