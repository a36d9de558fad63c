#pragma once

#include <string_view>

namespace esper::tolaria {

/// How the reason of a `kernel_fault` begins where the kernel did not fail, but could not be had
/// again when the run was resumed.
inline constexpr std::string_view kCannotBeHad = "it cannot be had again: ";

}  // namespace esper::tolaria
