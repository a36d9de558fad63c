#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "esper/program/edits/split_block.h"
#include "esper/services/tolaria/grow/rollback.h"
#include "esper/services/tolaria/grow/run_measurer.h"

namespace esper::tolaria {

/// A block that became two, and the training loss (a running mean) before that.
struct BlockSplit {
    std::string block;
    std::string copy;
    std::int64_t step = 0;
    double loss_before = 0;
    bool on_trial = false;  ///< the guard has not looked yet

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("block", self.block);
        visit("copy", self.copy);
        visit("step", self.step);
        visit("loss_before", self.loss_before);
        visit("on_trial", self.on_trial);
    }
};

struct SavedSplits {
    double loss = 0;
    std::int64_t losses = 0;
    std::vector<BlockSplit> made;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("loss", self.loss);
        visit("losses", self.losses);
        visit("made", self.made);
    }
};

/// The growth of a run in depth: asks tamiyo's clock, splits blocks, and watches the training loss
/// afterwards. A split is no seed: it has no isolation, no gate and no ramp. Taking one back is a
/// rollback of the run (trainer_splits.cpp).
class BlockSplits {
  public:
    BlockSplits(GrowingRun& run, SeedPlaces& places);

    /// controller.policy is clock.
    bool is_clocked() const;
    /// The loss of a training step.
    void take(double loss);
    /// Those of later steps are not comparable with those so far.
    void forget_losses() { state_.losses = 0; }

    /// A split that the clock asks for.
    struct Wish {
        graph::SplitBlock edit;
        std::string why;
        std::map<std::string, double> evidence;
    };
    /// Nothing where the clock says no: see waiting_for(). Errors: those of find_blocks().
    Result<std::optional<Wish>> ask(Moment now, int taken_back);
    /// Splits the block, now, in Program, tensors and optimizer. Errors: those of graph::apply.
    Status make(const Wish& wish, Moment now);

    /// The guard: once guard_steps are over, the trouble if the loss is too high; otherwise the
    /// split stays.
    Result<std::optional<Trouble>> judge(Moment now);
    /// The split stays, unjudged: there is nothing to go back to.
    void keep();
    /// The split that waits for the guard.
    const BlockSplit* on_trial() const;

    const std::vector<BlockSplit>& made() const { return state_.made; }
    const std::string& waiting_for() const { return waiting_for_; }
    const SavedSplits& state() const { return state_; }
    void restore(SavedSplits state) { state_ = std::move(state); }

  private:
    /// What the clock asks about the present Program; changes with it.
    struct Facts {
        graph::ProgramPtr program;
        std::size_t stage = 0;  ///< of the images
        std::optional<graph::SplitBlock> edit;
        double parameters = 0, parameters_of_block = 0;
        double flops_ratio = 1;     ///< of the network after the split, against the first one
        double training_flops = 0;  ///< of an example, after the split
    };
    Status look();
    std::string why_shut(Moment now) const;
    double examples_of(std::int64_t step) const;
    double examples_in_the_end(std::int64_t step) const;

    GrowingRun& run_;
    SeedPlaces& places_;
    graph::ProgramPtr host_;
    Facts facts_;
    SavedSplits state_;
    std::string waiting_for_;
};

}  // namespace esper::tolaria
