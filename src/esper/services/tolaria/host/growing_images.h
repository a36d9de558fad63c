#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "esper/base/declared_state.h"
#include "esper/configs/config.h"
#include "esper/configs/image_size.h"
#include "esper/program/cost/cost.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/course.h"

namespace esper::tolaria {

/// The data of a run as they are at its present step: images that grow where data.resolution says
/// so, else the data themselves. Whoever holds it sees the present size; it changes between two
/// steps only. Errors name the key.
class GrowingImages final : public Dataset {
  public:
    /// `data` have the last size. Refuses sizes that the host does not take: check_input_size().
    /// Errors: kUnsupported with the size and what hinders, those of ScaledImages.
    static Result<std::shared_ptr<GrowingImages>> make(const configs::EsperConfig& config,
                                                       std::shared_ptr<const Dataset> data,
                                                       const graph::Program& host);

    // What the data are at the present size.
    const DatasetInfo& info() const override { return now()->info(); }
    std::uint32_t size(Part part) const override { return now()->size(part); }
    Status fill(Part part, std::span<const std::uint32_t> indices,
                const std::optional<Variation>& variation, InputBuffer inputs,
                TargetBuffer targets) const override {
        return now()->fill(part, indices, variation, inputs, targets);
    }
    /// The same for another thread: it stays as it is.
    const std::shared_ptr<const Dataset>& now() const { return views_[stage_]; }
    /// As they were when the run made step `step`.
    const Dataset& at(std::int64_t step) const { return *views_[stage_at(step)]; }

    bool grow() const { return views_.size() > 1; }
    /// Whether they have their last size.
    bool are_whole() const { return stage_ + 1 == views_.size(); }
    std::size_t stages() const { return views_.size(); }
    std::size_t stage() const { return stage_; }
    /// Pixels of the shorter side; 0 for other data.
    int side() const { return side(stage_); }
    int side(std::size_t stage) const;
    /// The stage that holds at a share of the run: images never become smaller again.
    std::size_t stage_for(double share) const;

    /// A change of size, before step `step`.
    struct Change {
        std::int64_t step = 0;
        std::int64_t stage = 0;
        std::int64_t epochs = 0;  ///< that had been validated before

        template <typename Self, typename Visitor>
        static void fields(Self& self, Visitor& visit) {
            visit("step", self.step);
            visit("stage", self.stage);
            visit("epochs", self.epochs);
        }
    };
    void change(const Change& change);
    const std::vector<Change>& changes() const { return changes_; }
    /// Errors: kBadCheckpoint for changes that this run cannot have made.
    Status restore(const std::vector<Change>& changes);

    /// FLOPs of training on the examples of steps [from, to), of so many examples each.
    Result<double> training_flops(const graph::Program& program, std::int64_t from, std::int64_t to,
                                  std::int64_t examples) const;

  private:
    std::size_t stage_at(std::int64_t step) const;

    std::vector<configs::ImageSize> sizes_;              ///< by stage; empty without a schedule
    std::vector<std::shared_ptr<const Dataset>> views_;  ///< by stage, one at least
    std::vector<Change> changes_;                        ///< in the order of their steps
    std::size_t stage_ = 0;
};

/// What an example costs from a share of the run on.
struct SizeCost {
    double from = 0;
    graph::Cost cost;
};
/// By the sizes of data.resolution; without them what holds all along. `data` have the last size.
/// Errors: those of count_cost.
Result<std::vector<SizeCost>> size_costs(const configs::EsperConfig& config,
                                         const DatasetInfo& data, const graph::Program& host);
/// Of training examples.
std::vector<Course::Price> prices_of(const std::vector<SizeCost>& costs);

}  // namespace esper::tolaria
