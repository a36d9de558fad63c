#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "esper/engine/branch_kernel.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/execution/kernels/kernel_guard.h"

namespace esper::execution {

/// What a seed's kernel has done in this process.
struct KernelUse {
    std::int64_t calls = 0;    ///< forward and backward passes
    std::int64_t guarded = 0;  ///< of these, in a copy of this process
    std::int64_t errors = 0;
    std::chrono::nanoseconds in_process{0};  ///< spent in the others

    /// The mean time of a call in this process.
    double mean_us() const;
};

/// Watches over a kernel that was fetched a moment ago. Its first calls run in a KernelGuard, and
/// the results of the first pass both ways are compared with the operators'; then it runs in this
/// process. What it computes is the same in both. Not thread-safe.
class KernelProbation final : public graph::KernelWatch {
  public:
    struct Options {
        int guarded_calls = 8;
        ChildLimits limits = KernelGuard::kLimits;
    };
    KernelProbation(graph::Precision precision, Options options)
        : precision_(precision), options_(options) {}
    explicit KernelProbation(graph::Precision precision) : KernelProbation(precision, Options{}) {}

    /// Errors: those of KernelGuard::call, kReturnedError.
    Status call(const graph::BranchKernel& kernel, graph::KernelPart part,
                const EsperKernelCall& call) override;
    /// Error: kWrongResult, for results that are further from float64's than rounding explains.
    Status examine(const graph::BranchKernel& kernel, const graph::BranchPass& pass) override;

    const KernelUse& use() const { return use_; }
    bool is_over() const { return use_.guarded >= options_.guarded_calls || !unguarded_.empty(); }
    /// Why its first calls were made in this process; "" where they were not.
    const std::string& unguarded() const { return unguarded_; }

  private:
    Status guarded(KernelFunction function, const graph::BranchKernel& kernel,
                   const EsperKernelCall& call);
    Status in_process(KernelFunction function, const EsperKernelCall& call);

    graph::Precision precision_;
    Options options_;
    std::optional<KernelGuard> guard_;
    std::string unguarded_;
    bool examined_ = false;
    KernelUse use_;
};

}  // namespace esper::execution
