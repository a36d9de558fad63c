#pragma once

#include <functional>
#include <memory>
#include <string>

#include "esper/execution/kernels/branch_library.h"
#include "esper/execution/kernels/cache_types.h"
#include "esper/execution/kernels/kernel_bundle.h"

namespace esper::execution {

/// A branch's kernel in the cache, mapped into this process.
class CachedBranch final : public CachedKernel {
  public:
    CachedBranch(VerifiedBundle verified, std::uint64_t bytes, BranchLibrary library)
        : verified_(std::move(verified)), bytes_(bytes), library_(std::move(library)) {}
    std::uint64_t charge() const override { return bytes_; }
    const VerifiedBundle& verified() const { return verified_; }
    const BranchLibrary& library() const { return library_; }

  private:
    VerifiedBundle verified_;
    std::uint64_t bytes_;
    BranchLibrary library_;
};

/// Fetches bundles through `fetch` and maps only kernels that verify_bundle() accepts.
class VerifiedBranchSource final : public KernelSource {
  public:
    using Fetch = std::function<Result<std::string>(std::uint64_t id)>;
    /// What is needed of the kernel besides its id.
    using Want = std::function<KernelWant(std::uint64_t id)>;
    VerifiedBranchSource(Fetch fetch, const KeyRing& ring, Want want)
        : fetch_(std::move(fetch)), ring_(ring), want_(std::move(want)) {}
    Result<std::string> fetch(std::uint64_t id) override { return fetch_(id); }
    Result<std::unique_ptr<CachedKernel>> load(std::uint64_t id, std::string bytes) override;

  private:
    const Fetch fetch_;
    const KeyRing& ring_;
    const Want want_;
};

}  // namespace esper::execution
