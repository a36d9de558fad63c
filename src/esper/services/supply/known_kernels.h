#pragma once

#include <string>
#include <vector>

#include "esper/services/ports/kernel_supply.h"
#include "esper/services/urza/library.h"

namespace esper::supply {

execution::KernelWant want_of(const ports::KernelNeed& need);

/// How much faster than the operators a kernel was measured, e.g. `speed_percent` 46 is 1.46.
double gain_of(const urza::KernelRecord& record, const std::string& figure);

/// Whether its risk is above 0.5.
bool is_speculative(const urza::KernelRecord& record);

/// What is known of a need: kernels that win, and what is said of the others.
struct Known {
    /// The fastest first; one of the aggressive pipeline, which beat the best of its time in pairs,
    /// before those whose speeds, each measured by itself, are not above its own beyond doubt.
    std::vector<urza::KernelRecord> winners;
    std::vector<urza::KernelRecord> losers;  ///< the operators are faster; the fastest first
    std::string loses;  ///< of a loser: its id, and by how much: the operators are faster
    std::string other;  ///< it is out of use, or it was measured elsewhere
    std::vector<std::string> refused;
    bool settled = false;  ///< forging it again would say nothing new
};
/// As in Known::winners.
void order_by_speed(std::vector<urza::KernelRecord>& kernels);
Known known_of(const ports::KernelNeed& need,
               const std::vector<Result<urza::KernelRecord>>& kernels,
               const execution::KeyRing& ring);

/// What runs measured, by the names that blueprints have in the catalogue; of hosts of that kind.
std::vector<ports::PastCandidates> past_of(urza::Library& library, const std::string& host);

}  // namespace esper::supply
