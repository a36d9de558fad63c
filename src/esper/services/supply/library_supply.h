#pragma once
// supply: a run's kernels out of the library, through the cache, and from the forge into it.

#include <filesystem>
#include <memory>
#include <string>

#include "esper/services/ports/kernel_supply.h"
#include "esper/services/supply/kernel_orders.h"

namespace esper::supply {

struct SupplyOptions {
    std::string library;          ///< its folder, or the address of a server
    std::filesystem::path forge;  ///< the program `esper`; "": nothing is compiled
    ForgeWishes wishes = {};
    bool by_workers = false;  ///< ordered from the library's workers; this machine compiles nothing
    bool allow_speculative = false;  ///< offer kernels whose risk is above 0.5
};

/// The kernels of the library in a folder, which need not be there yet, or behind a server. It is
/// opened when the first kernel is wanted. Where it cannot be opened or written nothing is
/// compiled, and the answers say so. A server is asked by a thread of its own: what that has not
/// heard yet there is no kernel of.
std::shared_ptr<ports::KernelSupply> library_supply(SupplyOptions options);

}  // namespace esper::supply
