#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "esper/services/tolaria/adapt/adapted_program.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/engine.h"

namespace esper::tolaria {

/// What a part would gain at one place.
struct PlaceGain {
    std::string anchor;
    std::string blueprint;
    double gain = 0;  ///< loss saved an example, on examples that nothing was fitted on
};

struct PlaceSearch {
    graph::ProgramPtr frozen;          ///< the host
    std::vector<std::string> anchors;  ///< patterns; empty: all
    std::int64_t parameters = 0;       ///< of the part
    std::uint64_t seed = 0;
    std::uint32_t batch_size = 32;
};

/// The places by their gain, best first. At each anchor a part of random hidden units gets the last
/// layer that fits the loss's gradient best (ridge regression on a few batches), and of several
/// scales of it the one that saves most on another batch counts: the first-order gain alone points
/// at the bottom of the network, where parts help least. `charge` is told the FLOPs of each
/// measurement. Errors: kUnknownName where no anchor matches, kTooFewParameters, those of
/// fit_readout.
Result<std::vector<PlaceGain>> place_gains(const PlaceSearch& search, Engine& engine,
                                           graph::TensorStore& store, const Dataset& data,
                                           const std::function<void(double)>& charge);

/// Of the places that gain nearly as much as the best, which the estimate does not tell apart: the
/// highest in the network that is not its last, since no gradient flows below it and its steps are
/// cheap; the first and the last place only where no other comes near. But the lowest, where the
/// best kind hears earlier tokens and there are steps enough (nothing: there are): what it hears
/// then reaches every layer above it. `gains`: best first.
PlaceGain chosen(const std::vector<PlaceGain>& gains, const graph::Program& host,
                 std::optional<double> steps);

/// A part of so many parameters at an anchor of the host. Errors: kTooFewParameters.
Result<AdapterPart> sized_part(const graph::Anchor& anchor, const std::string& blueprint,
                               std::int64_t parameters);

}  // namespace esper::tolaria
