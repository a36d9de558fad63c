#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// Which outputs of a trained network the classes of other data stand at.
struct ClassMatch {
    std::vector<std::uint32_t> output_of;  ///< for each class of the data
    std::vector<std::string> names;        ///< of all outputs afterwards
    std::string note;                      ///< a sentence; empty where all classes are known

    bool is_identity() const;
};

/// A class whose name the network knows keeps its output; the others take, in their order, the
/// outputs whose classes the data do not have. Labels have to be the network's own, in any order.
/// Errors: kBadOption for another task, for more classes than outputs, and for other labels.
Result<ClassMatch> match_classes(const DatasetInfo& known, const DatasetInfo& data);

}  // namespace esper::tolaria
