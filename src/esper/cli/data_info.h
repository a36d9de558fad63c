#pragma once

#include <string>
#include <vector>

#include "esper/base/error.h"

namespace esper::cli {

struct InfoArguments {
    std::string path;
    std::vector<std::string> overrides;
    std::string png;  ///< where samples of images are written; empty: nowhere
};

/// Prints what `esper data info PATH` shows: format, task, classes with counts, sizes, samples and
/// the configuration. Errors: those of look_at_own_data and of writing.
Status show_data(const InfoArguments& arguments);

}  // namespace esper::cli
