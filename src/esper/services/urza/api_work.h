#pragma once

#include <vector>

#include "esper/services/urza/api.h"

namespace esper::urza {

/// The operations with which runs order work and workers do it.
std::vector<Operation> work_operations(Library& library);

}  // namespace esper::urza
