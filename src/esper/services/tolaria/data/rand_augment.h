#pragma once

#include <cstdint>

#include "esper/base/random.h"
#include "esper/services/tolaria/data/image_operations.h"

namespace esper::tolaria {

/// RandAugment (Cubuk et al. 2020): operations that are drawn from fourteen, each as strong as
/// `magnitude` says, 0 to 30; the set and the strengths are torchvision's. Some are without effect.
void rand_augment(const ByteImage& image, int operations, int magnitude, RandomStream& stream);

/// One of the fourteen, by its number in the order of torchvision's table. `negative` turns the
/// sign of those that have one. For tests.
void rand_augment_operation(const ByteImage& image, int operation, int magnitude, bool negative);

inline constexpr int kRandAugmentOperations = 14;

}  // namespace esper::tolaria
