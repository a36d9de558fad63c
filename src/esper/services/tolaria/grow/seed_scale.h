#pragma once

#include "esper/blueprints/catalogue.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/engine.h"

namespace esper::tolaria {

/// How large an isolated seed should be: in isolation it learns what direction the loss wants, at
/// the size of what flows at its anchor, not how far to go.
struct SeedScale {
    double factor = 1;  ///< its last layer was multiplied by this; 1 where nothing helped
    double loss_without = 0;
    double loss_with = 0;  ///< on the same training batches, with the factor
    std::int64_t evaluation_examples = 0;
};

struct ScaleRequest {
    graph::ProgramPtr blended;  ///< with the seed blended in; its block and α are in the store
    std::string seed;
    const blueprints::Blueprint& blueprint;
    std::uint64_t run_seed = 0;
    std::int64_t step = 0;
    std::uint32_t batch_size = 32;
    std::uint32_t train_examples = 0;  ///< that the run learns from
};

/// Tries factors 2^-5 … 2^2 for the seed's last layer at α = 1 on training batches and keeps the
/// one with the smallest loss, if that is smaller than without the seed. α is left at 1. A
/// blueprint without a linear last layer is left alone. Errors: those of engine and data.
Result<SeedScale> fit_scale(const ScaleRequest& request, Engine& engine, graph::TensorStore& store,
                            const Dataset& dataset);

}  // namespace esper::tolaria
