#pragma once

#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// A JPEG or PNG file as the input of a network that has learnt from `data`: the square in its
/// middle, scaled and normalised as the training images are, in their layout. Errors: those of
/// read_square_image.
Result<std::vector<float>> image_input(std::string_view bytes, const DatasetInfo& data);

}  // namespace esper::tolaria
