#include "esper/execution/kernels/branch_source.h"

namespace esper::execution {

Result<std::unique_ptr<CachedKernel>> VerifiedBranchSource::load(std::uint64_t id,
                                                                 std::string bytes) {
    ESPER_TRY(KernelBundle bundle, parse_bundle(bytes));
    KernelWant want = want_(id);
    want.id = id;
    ESPER_TRY(auto verified, verify_bundle(bundle, ring_, want));
    ESPER_TRY(auto library, load_branch_library(verified.manifest.artifact, bundle.object));
    return std::make_unique<CachedBranch>(std::move(verified), bundle.object.size(),
                                          std::move(library));
}

}  // namespace esper::execution
