#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

/// Everything a run needs to go on, to the bit: named tensors and one JSON object. Written as a
/// checked file (base/files.h): magic `ESPRCKPT`, SHA-256 over all of it, atomic.
///
/// Payload: u64 length of the JSON, the JSON {"state": …, "tensors": [{name, dtype, shape, strides,
/// offset, bytes}]}, zeros up to a multiple of 64, the tensors' bytes (little-endian, in memory
/// order).
struct Checkpoint {
    std::map<std::string, at::Tensor> tensors;
    /// Text of one JSON object; what it holds is the trainer's business.
    std::string state = "{}";
};

Status write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);
/// Errors: those of read_checked_file, kBadCheckpoint.
Result<Checkpoint> read_checkpoint(const std::filesystem::path& path);

/// The folder `checkpoints/` of a run: a ring of the newest `keep` files `step-<n>.ckpt`,
/// `best.ckpt` and the name of the newest in `last`.
class CheckpointRing {
  public:
    CheckpointRing(std::filesystem::path folder, int keep)
        : folder_(std::move(folder)), keep_(keep) {}
    Status write(std::int64_t step, const Checkpoint& checkpoint, bool is_best);
    /// Steps on disk, oldest first.
    std::vector<std::int64_t> steps() const;
    /// Path of a step's file, of `best`, or of the newest (`last`). Errors: FileError::kNotFound.
    Result<std::filesystem::path> find(const std::string& which) const;
    /// The newest checkpoint that reads back whole; damaged ones are passed over. Errors:
    /// kNotFound.
    Result<Checkpoint> newest() const;
    /// Deletes what lies after `step` (a rollback went behind it).
    void forget_after(std::int64_t step);

  private:
    std::filesystem::path folder_;
    int keep_;
};

}  // namespace esper::tolaria
