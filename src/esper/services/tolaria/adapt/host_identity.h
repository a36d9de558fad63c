#pragma once

#include <string>
#include <vector>

#include "esper/engine/tensor_store.h"

namespace esper::tolaria {

/// What names a trained network: its Program, and the values of all its parameters and buffers.
struct HostIdentity {
    std::string host;       ///< SHA-256 of both
    std::string structure;  ///< the Program's
    /// Eight hex digits of each tensor's SHA-256, in the order of the names.
    std::string tensors;
    std::vector<std::string> names;
};

/// Errors: kUnknownName for a tensor that the store lacks.
Result<HostIdentity> identity_of(const graph::Program& host, const graph::TensorStore& store);

}  // namespace esper::tolaria
