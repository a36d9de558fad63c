#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/class_figures.h"
#include "esper/services/tolaria/learn/engine.h"

namespace esper::tolaria {

struct Evaluation {
    double loss = 0;
    std::optional<double> accuracy;  ///< nothing in regression
    std::optional<double> top5;      ///< of more than ten classes
    std::uint32_t examples = 0;
    std::vector<float> losses;            ///< per example, in the order of the part
    std::optional<ClassFigures> classes;  ///< where they were asked for and the task has them
};

/// What of an evaluation is kept beside losses and accuracies.
enum class Figures : std::uint8_t { kUsual, kWithClasses };

/// Evaluates a part of the data once, in order, in evaluation mode: at most `limit` examples, 0:
/// all.
Result<Evaluation> evaluate_part(Engine& engine, const graph::ProgramPtr& program,
                                 graph::TensorStore& store, const Dataset& dataset, Part part,
                                 std::uint32_t batch_size, std::uint32_t limit = 0,
                                 Figures figures = Figures::kUsual);

/// The loss of each of these examples of a part, in evaluation mode, in their order.
Result<std::vector<float>> losses_of(Engine& engine, const graph::ProgramPtr& program,
                                     graph::TensorStore& store, const Dataset& dataset, Part part,
                                     std::uint32_t batch_size,
                                     std::span<const std::uint32_t> examples);

}  // namespace esper::tolaria
