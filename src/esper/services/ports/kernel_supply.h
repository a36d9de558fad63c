#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "esper/base/error.h"
#include "esper/kernel_abi.h"

namespace esper::ports {

/// What a run needs a kernel for: a branch, the precision and the inputs that it will be called
/// with.
struct KernelNeed {
    std::string branch;                ///< SHA-256 of the branch's Program
    std::string program;               ///< its text
    std::string blueprint;             ///< its name in the catalogue
    std::string anchor_kind;           ///< `tokens`, `vector`, `image`
    std::string precision;             ///< fp32, bf16
    std::vector<std::int64_t> sample;  ///< sizes of one sample
    std::int64_t samples = 1;          ///< in one call
};

/// A kernel that may be called: both signatures, its object's digest and its fitness for this
/// machine were checked before it was mapped into this process.
struct SuppliedKernel {
    std::string id;      ///< of the artifact
    std::string object;  ///< SHA-256 of the object
    const EsperKernelInfo* info = nullptr;
    decltype(&esper_kernel_forward) forward = nullptr;
    decltype(&esper_kernel_backward) backward = nullptr;
    std::shared_ptr<void> keeps;  ///< the code mapped
    // How much faster than the recorded operators the gauntlet found it, with its 95 % interval.
    double gain = 0, gain_low = 0, gain_high = 0;
};

/// What there is for a need.
struct KernelAnswer {
    std::optional<SuppliedKernel> kernel;
    std::string why;                   ///< why it is used, or why not: one sentence
    std::vector<std::string> refused;  ///< kernels that did not pass a check, each with the error
};

/// What has been compiled for a run so far.
struct KernelWork {
    std::int64_t asked = 0;        ///< needs that nothing was known for when the run began
    std::int64_t faster = 0;       ///< of those: compiled, correct and faster than the operators
    std::int64_t not_faster = 0;   ///< compiled and correct, but the operators win
    std::int64_t unsupported = 0;  ///< the compiler has no rule for a part of the branch
    std::int64_t failed = 0;       ///< wrong, or no compiler
    bool finished = true;          ///< nothing is being compiled any more
};

/// In how many runs of the past candidates of a blueprint were measured, and in how many of these
/// one of them germinated.
struct PastCandidates {
    std::string blueprint;    ///< its name in the catalogue
    std::string anchor_kind;  ///< `tokens`, `vector`, `image`
    std::int64_t runs = 0;
    std::int64_t runs_chosen = 0;
};

/// Where a run's kernels come from. Nothing here waits for a compiler.
class KernelSupply {
  public:
    virtual ~KernelSupply() = default;

    /// Has whatever is unknown among `needs` compiled and tried in the background. Returns why
    /// nothing can be kept or compiled, "" if it can.
    virtual std::string want(const std::vector<KernelNeed>& needs) = 0;
    /// The fastest kernel for `need` that wins against the operators.
    virtual KernelAnswer offer(const KernelNeed& need) = 0;
    /// The kernel of that id, whose object must have that digest, whatever else is there by now.
    /// Errors: those of the library and of verification.
    virtual Result<SuppliedKernel> recall(const std::string& id, const std::string& object,
                                          const KernelNeed& need) = 0;
    /// The kernel failed in a run: it is offered to nobody again. Errors: those of the library.
    virtual Status evict(const std::string& id, const std::string& reason) = 0;
    virtual KernelWork work() = 0;
    /// The last entry of the library's ledger, `NUMBER:HASH`; "" where it cannot be read.
    virtual std::string ledger_head() = 0;
    /// Of runs whose host was of this kind.
    virtual std::vector<PastCandidates> past_candidates(const std::string& host) = 0;
};

}  // namespace esper::ports
