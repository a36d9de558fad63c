#pragma once

#include "esper/blueprints/catalogue.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/engine.h"

namespace esper::tolaria {

/// The best scale of an isolated seed's output. In isolation a seed learns the direction that
/// reduces the loss, at the size of the anchor's value, but not the best size.
struct SeedScale {
    double factor = 1;  ///< factor of its last layer; 1 if no factor reduced the loss
    double loss_without = 0;
    double loss_with = 0;  ///< loss on the same training batches with the factor
    std::int64_t evaluation_examples = 0;
};

struct ScaleRequest {
    graph::ProgramPtr blended;  ///< with the seed blended in; the store has its block and α
    std::string seed;
    const blueprints::Blueprint& blueprint;
    std::uint64_t run_seed = 0;
    std::int64_t step = 0;
    std::uint32_t batch_size = 32;
    std::uint32_t train_examples = 0;  ///< number of examples that the run trains on
};

/// Examples that fit_scale passes through the network, mostly.
std::int64_t scale_examples(const DatasetInfo& data, std::uint32_t batch_size);

/// Tries factors of 2^-5 … 2^2 for the seed's last layer at α = 1 on training batches
/// (half of held_out_batches), from 1 towards the smaller loss until it rises, and applies the one
/// with the smallest loss if that is smaller than without the seed. Leaves α at 1. Does not change
/// a blueprint without a linear last layer. Errors: those of engine and data.
Result<SeedScale> fit_scale(const ScaleRequest& request, Engine& engine, graph::TensorStore& store,
                            const Dataset& dataset);

}  // namespace esper::tolaria
