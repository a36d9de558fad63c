#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// How a data set is divided.
struct Split {
    double train = 0.8;
    double probe = 0.1;
    double validation = 0.05;
    double test = 0.05;
    /// Largest number of train examples (for the drawn set the exact number); 0: all.
    std::uint32_t train_examples = 0;
    /// Which examples come into which part, where they are drawn.
    std::uint64_t seed = 0;

    double share(Part part) const;
};

/// Error: kBadOption for a share outside [0, 1) or a sum of shares above 1.
Status check_split(const Split& split);

}  // namespace esper::tolaria
