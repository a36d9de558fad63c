#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "esper/services/tolaria/grow/block_splits.h"
#include "esper/services/tolaria/grow/past_runs.h"
#include "esper/services/tolaria/grow/rollback.h"
#include "esper/services/tolaria/grow/run_kernels.h"
#include "esper/services/tolaria/grow/run_measurer.h"
#include "esper/services/tolaria/grow/seed_lives.h"

namespace esper::tolaria {

/// The growth of a run whose host is a Program: the places for seeds, who measures, and the seeds'
/// lives, put together; and what happens when seeds fail or the run goes back. The run's learner
/// is told of every change of the Program.
class Growth {
  public:
    /// `run.learner` has the host as its Program. Errors: kUnsupported when no anchor fits
    /// growth.anchors.
    static Result<std::unique_ptr<Growth>> create(GrowingRun run);
    Growth(const Growth&) = delete;
    Growth& operator=(const Growth&) = delete;

    execution::KasminaLayer& kasmina() { return places_->kasmina(); }
    SeedCounts counts() const { return lives_->counts(); }
    std::string waiting_for() const {
        return splits_->is_clocked() ? splits_->waiting_for() : lives_->waiting_for();
    }
    /// While it is paused no seed germinates and no block splits; the seeds that are there live on.
    /// Survives resumes and rollbacks.
    void pause(bool paused) { lives_->pause(paused); }
    bool is_paused() const { return lives_->is_paused(); }
    RunKernels& kernels() { return *kernels_; }
    const RunKernels& kernels() const { return *kernels_; }
    BlockSplits& splits() { return *splits_; }
    const BlockSplits& splits() const { return *splits_; }
    /// Between two steps: BlockSplits::make(), and slots for the copy's anchors.
    Status split(const BlockSplits::Wish& wish, Moment now);

    /// Values to look at in a step's pass (Learner::step): what flows at the slots, on sampled
    /// steps.
    std::vector<graph::ValueId> taps(std::int64_t step) const;
    /// What that pass gave.
    void observe(const StepResult& result);

    struct Losses {
        const std::vector<double>& train;
        const std::vector<double>& validation;
    };
    /// That no foreign code has written over the seeds' states. Before each boundary's work and
    /// each checkpoint. Error: StateError::kCorrupt, written down as `broken_seal`.
    Status check_table(Moment now);
    /// Does all growth work between two epochs. Errors: kStopped, those of measuring.
    Status at_boundary(Moment now, const Losses& losses);

    // What happens when seeds fail or the run goes back (growth_faults.cpp).
    bool has_seeds() const;
    /// Slots whose seeds are in the Program, likeliest culprit first: the youngest, kept ones last.
    std::vector<std::uint32_t> suspects() const;
    /// The seed failed in a pass: identity path, ERROR_RECOVERY where it was blended, CULLED with
    /// embargo; its blueprint never again at this slot. Written down as `fault`.
    Status take_out(std::uint32_t slot, const Error& error, Moment now);
    /// Who is blended in during the step that leads to `step`.
    void note_active(std::int64_t step);
    /// The seed that was blended in last (not yet kept) after step `since`.
    std::optional<LockedSlot> at_fault(std::int64_t since) const;
    /// Closes a slot for good and removes its seed.
    Status lock(const LockedSlot& lock, Moment now);
    /// What must not go back when a run does: names of seeds, the gates' error already spent, and
    /// whether growth is paused.
    struct Carried {
        std::uint32_t names = 0;
        std::int64_t germinations = 0;
        bool paused = false;
    };
    Carried carry() const;
    void take_over(const Carried& carried);
    /// Trains all forks on to `step`; call before what `rate` says of earlier steps changes.
    Status bring_forks_to(std::int64_t step) { return measurer_->bring_forks_to(step); }

    /// Puts the tensors of forks into `tensors`; returns the rest.
    saved::Json save(Tensors& tensors) const;
    /// Takes over a saved state; the learner has been restored already. Errors: kBadCheckpoint.
    Status restore(const saved::Json& state, const Tensors& tensors);

  private:
    explicit Growth(GrowingRun run) : run_(std::move(run)) {}
    Status report_health(Moment now);
    /// Into the state table: that the seeds' kernels ran, and how fast.
    Status note_kernels(Moment now);
    Status restore_places(const SavedLives& lives);

    /// When a seed was blended in.
    struct Activity {
        std::uint32_t slot = 0;
        std::string seed, blueprint;
        std::int64_t first = 0, last = 0;  ///< steps

        template <typename Self, typename Visitor>
        static void fields(Self& self, Visitor& visit) {
            visit("slot", self.slot);
            visit("seed", self.seed);
            visit("blueprint", self.blueprint);
            visit("first", self.first);
            visit("last", self.last);
        }
    };
    struct Saved {
        std::int64_t version = kGrowthVersion;
        SavedLives lives;
        std::vector<SavedFork> forks;
        std::vector<SlotHealth::Sums> health;
        std::vector<Activity> activity;
        std::optional<SavedSplits> splits = {};  ///< only where blocks are split
        /// Of seeds that germinated; runs of before had none.
        std::optional<std::vector<SeedKernelChoice>> kernels = {};
        std::optional<bool> paused = {};                      ///< only where it is
        std::optional<std::vector<PastBlueprint>> past = {};  ///< only where the library was asked

        template <typename Self, typename Visitor>
        static void fields(Self& self, Visitor& visit) {
            visit("version", self.version);
            visit("lives", self.lives);
            visit("forks", self.forks);
            visit("health", self.health);
            visit("activity", self.activity);
            visit("splits", self.splits);
            visit("kernels", self.kernels);
            visit("paused", self.paused);
            visit("past", self.past);
        }
    };

    GrowingRun run_;
    std::unique_ptr<SeedPlaces> places_;
    std::unique_ptr<RunMeasurer> measurer_;
    std::unique_ptr<SeedLives> lives_;
    std::unique_ptr<BlockSplits> splits_;
    std::unique_ptr<RunKernels> kernels_;
    std::unique_ptr<PastRuns> past_;
    std::map<std::uint32_t, Activity> activity_;  ///< by slot
};

}  // namespace esper::tolaria
