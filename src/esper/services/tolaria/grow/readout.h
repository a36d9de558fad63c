#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "esper/blueprints/catalogue.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/engine.h"

namespace esper::tolaria {

/// The closed-form last layer of a new seed (docs/growth.md, "The first values of a seed's last
/// layer"; after Verbockhaven et al., TMLR 2024): the linear map from the branch's features H to
/// −∂L/∂y at the anchor, after removing the part that the host's layer could fit from its input X.
struct ReadoutFit {
    at::Tensor weight;  ///< shaped like the branch's readout weight, already scaled by gamma
    double gamma =
        0;  ///< scale from the line search, relative to the size of the anchor's value; 0: rejected
    double loss_without = 0;
    double loss_with = 0;  ///< on the held-out batches, at gamma
    /// First-order estimate of the gain: gamma·tr(WᵀHᵀG⊥) per example.
    double first_order_gain = 0;
    /// Number of positions used for the fit: at least 4,000, and at least ten per feature.
    std::int64_t samples = 0;
    /// False if the host's layer is not known or reads too many features; then G is used instead
    /// of G⊥.
    bool host_part_removed = false;
    /// Number of examples in the training passes and in the evaluation passes of the fit.
    std::int64_t training_examples = 0;
    std::int64_t evaluation_examples = 0;
    /// Loss saved per example.
    double gain() const { return loss_without - loss_with; }
};

/// Batches that a factor is searched on: at least 256 examples, or of a text as many as have 4,096
/// positions, but at least 32.
std::size_t held_out_batches(const DatasetInfo& data, std::uint32_t batch_size);

/// What a fit at an anchor of this type will need, as far as can be said beforehand.
struct ExpectedFit {
    std::int64_t training_examples = 0;
    std::int64_t evaluation_examples = 0;
};
ExpectedFit expected_fit(const graph::TensorType& anchor, const DatasetInfo& data,
                         std::uint32_t batch_size);

struct ReadoutRequest {
    graph::ProgramPtr program;  ///< without the seed
    std::string anchor;
    std::string seed;  ///< the seed's future name; its random weights depend on the name
    blueprints::Blueprint blueprint;
    std::uint64_t run_seed = 0;
    std::int64_t step = 0;
    std::uint32_t batch_size = 32;
    std::uint32_t train_examples = 0;  ///< examples are drawn from this many first ones; 0: all
    int least_batches = 4;             ///< that the layer is fitted on
    std::int64_t least_rows = 4000;    ///< positions that it is fitted on
    /// At least so many measure each gamma; else as many as held_out_batches says.
    std::optional<std::uint32_t> held_out_examples;
    bool removes_host_part = true;  ///< false for a host that does not learn
};

/// Fits the layer on training batches with the host detached, and searches gamma over
/// {0, 2^-6 … 2^2} on other training examples. The search goes from 2^-3 towards the smaller loss
/// and ends where the loss rises. Leaves the store unchanged. Errors: those of edits and engine;
/// kUnsupported for a blueprint without a readout.
Result<ReadoutFit> fit_readout(const ReadoutRequest& request, Engine& engine,
                               graph::TensorStore& store, const Dataset& dataset);

}  // namespace esper::tolaria
