#pragma once

#include "esper/services/urza/api.h"

namespace esper::urza {

/// The operations by which other machines work with this library as with one of their own
/// (RemoteLibrary): kernels with what was signed about them, and handing in kernels, verdicts and
/// what runs report.
std::vector<Operation> sharing_operations(Library& library);

}  // namespace esper::urza
