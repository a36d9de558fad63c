#pragma once

#include <vector>

namespace esper::configs {

/// How much the classes or labels of the data count in the loss: alike, by how rare they are, or as
/// they are listed.
struct ClassWeights {
    bool balanced = false;
    std::vector<double> listed = {};  ///< one for each class or label in their order, or none

    bool is_set() const { return balanced || !listed.empty(); }
    bool operator==(const ClassWeights&) const = default;
};

}  // namespace esper::configs
