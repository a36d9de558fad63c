#pragma once

#include <span>
#include <string>

#include "esper/execution/kasmina/moment.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/text_samples.h"

namespace esper::tolaria {

/// Writes `pictures` into events.jsonl: the first images of the validation part and those of the
/// greatest loss, at most 32 pixels a side, with their class and the one that the network takes
/// them for. `losses` are those of the part's examples, in their order. Gives the FLOPs it took:
/// none where the data are no images with classes.
Result<double> record_pictures(const SampleSource& source, const Dataset& dataset,
                               std::span<const float> losses, const std::string& when,
                               execution::Moment now);

}  // namespace esper::tolaria
