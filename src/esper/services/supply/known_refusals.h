#pragma once

#include <optional>
#include <string>

#include "esper/services/ports/kernel_supply.h"

namespace esper::supply {

/// Branches that this build's compiler has no rule for, so that not every run asks it again: a
/// small file beside the library. What it says can only keep a seed with the operators. Another
/// version of the compiler asks anew.
std::optional<std::string> known_refusal(const std::string& library, const ports::KernelNeed& need);
void remember_refusal(const std::string& library, const ports::KernelNeed& need,
                      const std::string& why);

}  // namespace esper::supply
