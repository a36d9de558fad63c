#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "esper/configs/budget.h"
#include "esper/services/tamiyo/gate.h"
#include "esper/services/tolaria/adapt/adapter_file.h"
#include "esper/services/tolaria/adapt/places.h"
#include "esper/services/tolaria/learn/learner.h"

namespace esper::tolaria {

/// How a trained network is adapted.
struct AdaptOptions {
    std::string name = "adapter";
    std::string purpose;
    double parameters = 0.25;  ///< of the part: a share of the network's, or above 1 a number
    configs::Budget budget;    ///< FLOPs, measuring included, or seconds
    double epochs = 2;         ///< where no budget is set
    std::optional<double> rate;
    std::vector<std::string> anchors;  ///< patterns of places; empty: all
    std::uint32_t batch_size = 32;
    std::uint64_t seed = 0;
    std::size_t workers = 1;
    /// Asked before each step. Once it is true the part is trained no more, and what it has learnt
    /// so far is judged.
    std::function<bool()> stops;
};

/// What came of it.
struct Adaptation {
    AdapterFile adapter;
    std::vector<PlaceGain> places;
    double rate = 0;
    std::map<double, double> tried_rates;  ///< loss of the choosing examples after a few steps
    std::int64_t steps = 0;
    bool stopped_early = false;  ///< since the validation part got no better
    bool was_stopped = false;    ///< by AdaptOptions::stops
    tamiyo::GateResult gate;
    double training_flops = 0;
    double measuring_flops = 0;
    double seconds = 0;
    std::int64_t host_parameters = 0;

    bool kept() const { return gate.verdict == tamiyo::Verdict::kKeep; }
};

/// The optimizer's settings that a part is trained with: AdamW with betas 0.9 and 0.97, weight
/// decay 0.1, gradients clipped to norm 1.
configs::OptimizationConfig adapting_recipe();

/// Grows one wide part on a trained network that stays as it is, and trains it on `data`: places it
/// by place_gains, finds its rate (or takes the given one), trains it at full strength from a zero
/// last layer, goes back to where the validation part was best, and compares the network with and
/// without it on the probe part (tamiyo::look). No gradient is computed below the part, none of the
/// network's own weights. `learner` holds the network, with adapting_recipe(), and afterwards the
/// part too; its Program is then the adapted one. `news` is told of each stage as it ends.
/// Errors: kStopped where it was stopped before the part's first step; kOtherTask where the data's
/// inputs, targets or number of classes do not fit the network; kTooSmall for too few examples to
/// judge by; kShortBudget; kDiverged at a given rate; those of place_gains and of the data.
Result<Adaptation> adapt(Learner& learner, std::shared_ptr<const Dataset> data,
                         const AdaptOptions& options,
                         const std::function<void(const nlohmann::json&)>& news = {});

}  // namespace esper::tolaria
