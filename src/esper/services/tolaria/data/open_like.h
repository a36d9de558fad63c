#pragma once

#include <memory>

#include "esper/services/tolaria/data/open_dataset.h"

namespace esper::tolaria {

/// Opens other data as the network reads them that has learnt from `known`: texts in its characters
/// and windows, images at its size and normalised by its mean and deviation, the columns of a table
/// by their names and as it encodes them, numbers that are predicted by its mean and deviation, and
/// classes at its outputs (match_classes). `options`: where they are and how they are divided;
/// `classes`: of the outputs, where an adapter has given them others; empty: known's.
/// Errors: those of opening and of match_classes; kBadOption for data of another kind, images
/// with fewer pixels or other channels, and for arrays of numbers, whose columns have no names.
Result<std::shared_ptr<const Dataset>> open_like(const Dataset& known, DataOptions options,
                                                 const std::vector<std::string>& classes = {});

}  // namespace esper::tolaria
