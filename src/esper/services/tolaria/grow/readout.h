#pragma once

#include <ATen/core/Tensor.h>

#include "esper/blueprints/catalogue.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/engine.h"

namespace esper::tolaria {

/// The closed-form last layer of a newborn branch (growth.md, "Initialising a newborn", 2; after
/// Verbockhaven et al., TMLR 2024): the linear map from the branch's features H to what the loss
/// still wants at the anchor, −∂L/∂y, less what the host layer could do itself from its input X.
struct ReadoutFit {
    at::Tensor weight;  ///< shaped like the branch's readout weight, already scaled by gamma
    double gamma =
        0;  ///< scale found by line search, relative to the anchor's own size; 0: rejected
    double loss_without = 0;
    double loss_with = 0;  ///< on the held-out batches, at gamma
    /// What the gain would be if the loss were linear: gamma·tr(WᵀHᵀG⊥) per example.
    double first_order_gain = 0;
    /// Positions that the fit rests on: at least 4,000, and ten for each feature.
    std::int64_t samples = 0;
    /// False where the layer behind the anchor is not known or reads too many features, so that G
    /// stands for G⊥.
    bool host_part_removed = false;
    /// Examples that went through the network for this, in training and in evaluation passes.
    std::int64_t training_examples = 0;
    std::int64_t evaluation_examples = 0;
    /// Loss saved per example.
    double gain() const { return loss_without - loss_with; }
};

struct ReadoutRequest {
    graph::ProgramPtr program;  ///< without the seed
    std::string anchor;
    std::string seed;  ///< the name it will have: its trunk is drawn by name
    blueprints::Blueprint blueprint;
    std::uint64_t run_seed = 0;
    std::int64_t step = 0;
    std::uint32_t batch_size = 32;
    std::uint32_t train_examples = 0;  ///< drawn from the first so many; 0: all
};

/// Fits on training batches, with the host detached, and searches gamma over {0, 2^-6 … 2^2} on at
/// least 256 other training examples. The store is as before afterwards. Errors: those of edits and
/// engine; kUnsupported for a blueprint without a readout.
Result<ReadoutFit> fit_readout(const ReadoutRequest& request, Engine& engine,
                               graph::TensorStore& store, const Dataset& dataset);

}  // namespace esper::tolaria
