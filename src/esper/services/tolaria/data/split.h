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
    /// At most so many train examples (the drawn set: exactly so many); 0: all there are.
    std::uint32_t train_examples = 0;

    double share(Part part) const;
};

/// Errors: kBadOption for a share outside [0, 1) or shares that add up to more than 1.
Status check_split(const Split& split);

}  // namespace esper::tolaria
