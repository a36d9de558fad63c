#include "esper/services/tolaria/data/split.h"

#include <fmt/format.h>

namespace esper::tolaria {

double Split::share(Part part) const {
    switch (part) {
        case Part::kTrain:
            return train;
        case Part::kProbe:
            return probe;
        case Part::kValidation:
            return validation;
        case Part::kTest:
            return test;
    }
    return 0;
}

Status check_split(const Split& split) {
    double sum = 0;
    for (const Part part : kAllParts) {
        const double share = split.share(part);
        if (!(share >= 0 && share < 1)) {
            return fail(DataError::kBadOption,
                        fmt::format("data.split.{} must be at least 0 and below 1, got {}",
                                    to_text(part), share));
        }
        sum += share;
    }
    if (sum > 1 + 1e-9) {
        return fail(DataError::kBadOption,
                    fmt::format("the shares of data.split add up to {:.4g}, more than the whole; "
                                "make one of them smaller",
                                sum));
    }
    return {};
}

}  // namespace esper::tolaria
