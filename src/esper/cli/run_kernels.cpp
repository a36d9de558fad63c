#include "esper/cli/run_kernels.h"

#include <filesystem>

#include "esper/services/supply/library_supply.h"
#include "esper/services/urza/library.h"

namespace esper::cli {

std::shared_ptr<ports::KernelSupply> kernels_for(const configs::EsperConfig& config) {
    if (!config.growth.enabled || !config.growth.kernels) return nullptr;
    std::error_code ignored;
    return supply::library_supply(
        {urza::default_library_path(),
         std::filesystem::read_symlink("/proc/self/exe", ignored),
         {supply::least_sandbox(contracts::to_text(config.forge.sandbox)), config.forge.priority},
         config.forge.by == configs::ForgePlace::kWorkers,
         config.growth.allow_speculative});
}

}  // namespace esper::cli
