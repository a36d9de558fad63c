#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "esper/engine/branch_kernel.h"
#include "esper/engine/op_list.h"
#include "esper/program/edits/seed_branch.h"

namespace esper::graph {

/// A native kernel that computes a seed's branch.
struct SeedKernel {
    BranchKernelPtr kernel;
    std::string branch;                ///< hash of the branch's Program
    std::vector<std::int64_t> sample;  ///< sizes of one sample of its input
    bool operator==(const SeedKernel&) const = default;
};

/// Which seeds run a native kernel. One such book serves all learners of a run, so that a seed is
/// computed alike wherever it is run. Not thread-safe.
class SeedKernels {
  public:
    void set(const std::string& seed, SeedKernel kernel);
    void remove(const std::string& seed);
    void replace_all(std::map<std::string, SeedKernel> kernels);
    const std::map<std::string, SeedKernel>& all() const { return kernels_; }
    /// How many of them have reported an error.
    std::ptrdiff_t failures() const;
    /// Another number after every change.
    std::uint64_t revision() const { return revision_; }
    /// Which of them a Program runs, as text; "" for none.
    std::string used_by(const Program& program) const;

  private:
    std::map<std::string, SeedKernel> kernels_;
    std::uint64_t revision_ = 0;
};

/// A part of a Program that one call computes instead of its instructions.
struct KernelRegion {
    std::size_t begin = 0;
    std::size_t end = 0;
    OpCall call;
    BranchKernelPtr kernel;
};

/// The regions of `program` that kernels of `kernels` compute, in their order: a kernel is called
/// only for the branch that it was compiled for, and where no value inside is asked for. Errors:
/// kHashMismatch for a seed whose branch is another.
Result<std::vector<KernelRegion>> kernel_regions(const Program& program, const SeedKernels& kernels,
                                                 const std::vector<ValueId>& asked_for);

}  // namespace esper::graph
