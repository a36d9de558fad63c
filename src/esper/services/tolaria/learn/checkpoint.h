#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

/// Everything that an exact resume needs: named tensors and one JSON object. Written atomically as
/// a checked file (base/files.h) with the magic `ESPRCKPT` and a SHA-256.
///
/// Payload: u64 length of the JSON, the JSON {"state": …, "tensors": [{name, dtype, shape, strides,
/// offset, bytes}]}, zeros up to a multiple of 64, the tensors' bytes (little-endian, in memory
/// order).
struct Checkpoint {
    std::map<std::string, at::Tensor> tensors;
    /// Text of one JSON object; the trainer defines its content.
    std::string state = "{}";
};

Status write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);
/// Errors: those of read_checked_file, kBadCheckpoint.
Result<Checkpoint> read_checkpoint(const std::filesystem::path& path);

/// Why a checkpoint was written. A run's later course may only depend on regular checkpoints;
/// otherwise a run that was stopped and resumed would differ from one that was not.
enum class CheckpointKind {
    kRegular,  ///< at a step that the configuration names
    kBest,     ///< the same, and the lowest validation loss so far
    kStopped,  ///< on Ctrl-C, SIGTERM, a stop
    kTrunk,    ///< where the cool-down of a smaller budget begins; kept beside the ring
};

std::string_view to_text(CheckpointKind kind);

/// The folder `checkpoints/` of a run: a ring of the newest `keep` files `step-<n>.ckpt`,
/// `best.ckpt`, the name of the newest in `last`, and `stopped-<n>.ckpt` from a stop until the next
/// regular one. Beside the ring `trunk-<n>.ckpt` stay as long as the run does.
class CheckpointRing {
  public:
    CheckpointRing(std::filesystem::path folder, int keep)
        : folder_(std::move(folder)), keep_(keep) {}
    Status write(std::int64_t step, const Checkpoint& checkpoint, CheckpointKind kind);
    static std::string file_name(std::int64_t step, CheckpointKind kind);
    /// Steps of the regular checkpoints on disk, oldest first.
    std::vector<std::int64_t> steps() const;
    /// Path of a step's file, of `best`, or of the newest (`last`). Errors: FileError::kNotFound.
    Result<std::filesystem::path> find(const std::string& which) const;
    /// The newest undamaged checkpoint of any kind. Error: kNotFound.
    Result<Checkpoint> newest() const;
    struct Found {
        std::int64_t step = 0;
        Checkpoint checkpoint;
    };
    /// The newest undamaged regular checkpoint of at most this step. Error: kNotFound.
    Result<Found> newest_until(std::int64_t step) const;
    /// The regular checkpoint of this step is kept beside the newest ones until it is released
    /// (nothing).
    void hold(std::optional<std::int64_t> step) { held_ = step; }
    /// Deletes the checkpoints after `step`, newest first (after a rollback to an earlier one).
    void forget_after(std::int64_t step);
    /// Deletes the trunk's checkpoint of this step, which was written after a split at the step.
    void forget_trunk(std::int64_t step);
    struct File {
        std::int64_t step = 0;
        bool regular = true;
        std::filesystem::path path;
    };
    /// The checkpoints from which the run can be finished at a smaller budget, those of the trunk
    /// and of the ring, oldest first.
    std::vector<File> regular_files() const;

  private:
    /// Of the ring, oldest first.
    std::vector<File> files() const;
    std::vector<File> files_named(const std::vector<std::string_view>& prefixes) const;

    std::filesystem::path folder_;
    int keep_;
    std::optional<std::int64_t> held_ = {};
};

}  // namespace esper::tolaria
