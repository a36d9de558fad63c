#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "esper/base/declared_state.h"
#include "esper/services/tolaria/grow/rollback.h"
#include "esper/services/tolaria/host/growing_images.h"
#include "esper/services/tolaria/learn/checkpoint.h"
#include "esper/services/tolaria/learn/course.h"
#include "esper/services/tolaria/learn/flops.h"
#include "esper/services/tolaria/learn/saved_learner.h"
#include "esper/services/tolaria/run/spike_detector.h"

namespace esper::tolaria {

/// How a run has gone, epoch by epoch.
struct RunCurves {
    double epoch_loss_sum = 0;  ///< of the training losses of this epoch's steps
    std::vector<double> train_losses, validation_losses, validation_accuracies;
    double best_loss = 0;
    std::int64_t best_step = -1;  ///< -1: none yet

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("epoch_loss_sum", self.epoch_loss_sum);
        visit("train_losses", self.train_losses);
        visit("validation_losses", self.validation_losses);
        visit("validation_accuracies", self.validation_accuracies);
        visit("best_loss", self.best_loss);
        visit("best_step", self.best_step);
    }
};

/// Of a run with a budget.
struct SavedCourse {
    std::vector<Course::Mark> marks;
    std::int64_t last_boundary = 0;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("marks", self.marks);
        visit("last_boundary", self.last_boundary);
    }
};

/// What took a run's time beside its steps.
struct SpentSeconds {
    double validation = 0;
    double measuring = 0;  ///< all that growth does between two epochs
    double test = 0;       ///< the test part and what was sampled after epochs and at the end

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("validation", self.validation);
        visit("measuring", self.measuring);
        visit("test", self.test);
    }
};

/// What a checkpoint of a run holds beside its tensors. Version 1 named no version, had lists where
/// members have names now, and only the sum of all FLOPs.
struct SavedRun {
    static constexpr std::int64_t kVersion = 2;
    std::int64_t version = kVersion;
    std::int64_t step = 0;
    SavedLearner learner;
    std::string program_sha256;
    std::string data;  ///< fingerprint of the data set
    std::int64_t initial_parameters = 0;
    RunCurves curves;
    SpikeDetector::State spikes;
    RollbackHistory rollback;
    Flops flops;
    double wall_seconds = 0;
    std::optional<SpentSeconds> seconds = {};      ///< absent in older checkpoints
    std::map<std::string, std::uint64_t> lengths;  ///< of the growing files
    std::uint64_t journal_entries = 0;
    std::optional<saved::Json> growth;  ///< absent where growth is off
    std::optional<SavedCourse> course;  ///< absent without a budget
    /// Absent where images keep their size.
    std::optional<std::vector<GrowingImages::Change>> resolution = {};

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("version", self.version);
        visit("step", self.step);
        SavedLearner::fields(self.learner, visit);
        visit("program_sha256", self.program_sha256);
        visit("data", self.data);
        visit("initial_parameters", self.initial_parameters);
        RunCurves::fields(self.curves, visit);
        visit("spikes", self.spikes);
        visit("rollback", self.rollback);
        visit("flops", self.flops);
        visit("wall_seconds", self.wall_seconds);
        visit("seconds", self.seconds);
        visit("lengths", self.lengths);
        visit("journal_entries", self.journal_entries);
        visit("growth", self.growth);
        visit("course", self.course);
        visit("resolution", self.resolution);
    }
};

/// Reads a checkpoint's state, of this version or an older one. Errors: kBadCheckpoint, naming what
/// is missing or of another type, or the version.
Result<SavedRun> read_saved_run(const Checkpoint& checkpoint);

}  // namespace esper::tolaria
