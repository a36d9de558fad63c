#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/engine.h"
#include "esper/services/tolaria/learn/test_time.h"

namespace esper::tolaria {

/// What a network makes of one example.
struct Prediction {
    struct Class {
        std::int64_t number = 0;
        double probability = 0;
    };
    std::vector<Class> best;     ///< of a classification, the likeliest first
    double value = 0;            ///< of a regression, in the unit of what is predicted
    std::vector<double> labels;  ///< of labels, the probability that each holds
};

/// Runs the network in evaluation mode over `count` inputs, one after another in `inputs`, each of
/// data.input_elements() numbers as the data set gives them. Keeps the `top` likeliest classes.
/// With `views` it averages over them; for images with classes or labels only. Errors: those of
/// Engine::logits.
Result<std::vector<Prediction>> predict(Engine& engine, const graph::ProgramPtr& program,
                                        graph::TensorStore& store, const DatasetInfo& data,
                                        std::span<const float> inputs, std::size_t count,
                                        std::size_t top,
                                        const std::optional<TestTimeViews>& views = {});

}  // namespace esper::tolaria
