#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "esper/engine/branch_kernel.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/services/urabrask/measure.h"
#include "esper/services/urabrask/urabrask_errors.h"

namespace esper::urabrask {

/// What a kernel is tried for.
struct Trial {
    graph::ProgramPtr branch;  ///< input [rows, features] or [N, T, features]
    graph::Precision precision = graph::Precision::kFloat32;
    /// Shapes of the branch's input that speed is measured on.
    std::vector<std::vector<std::int64_t>> shapes;
    int rounds = 25;
    double seconds_per_shape = 0.4;
    int calls = 200;        ///< that are timed one by one, if they fit half of `seconds_per_shape`
    int most_seconds = 60;  ///< processor time that a trial may take; 20 times that by the clock
};

struct ShapeSpeed {
    std::vector<std::int64_t> shape;
    PairedTimes times;
    CallTimes calls = {};  ///< of the kernel
    /// The most bytes that forward and backward hold at once: results, gradients, what is saved and
    /// the workspace; x, its gradient and the parameters belong to the caller.
    double peak_bytes = 0;
    double peer_peak_bytes = 0;
    /// Whether to use the kernel for this shape: it is faster beyond doubt.
    bool chosen() const { return times.low > kLeastGain; }
    static constexpr double kLeastGain = 1.03;
};

/// What came of a trial. `why` is "" where every case was within its bound.
struct Findings {
    std::string why;
    int cases = 0;
    double error = 0;    ///< of normal values, of the result that came nearest to its bound
    double allowed = 0;  ///< of that result
    std::vector<ShapeSpeed> speeds;
    double seconds = 0;  ///< of the child's processor time
    int sandbox = 0;     ///< SandboxLevel of the child
    /// Error: kWrong.
    Status verdict() const {
        if (why.empty()) return {};
        return fail(UrabraskError::kWrong, why);
    }
};

/// Maps a kernel's object into this process. Errors: those of execution::load_branch_library.
Result<graph::BranchKernel> load_kernel(const std::string& id, std::string_view object);

/// A kernel that was compiled.
struct Named {
    std::string id;
    std::string object;
};

/// The speed of one kernel against another of the same branch, in turns, on each shape of the
/// trial, in a jailed copy of this process. What they compute is not looked at. Errors: kWrong
/// where one cannot be run; KernelError::kGuardUnavailable.
Result<std::vector<ShapeSpeed>> compare_kernels(const Trial& trial, const Named& ours,
                                                const Named& peer);

/// Tries a kernel in a jailed copy of this process, so that nothing of it runs here: forward and
/// every gradient against the interpreter in float64 on the cases of cases.h, with inaccessible
/// pages behind all that it is given, each call twice for the same bits; then its speed against the
/// recorded operators (BranchList) on each shape. A crash or a hang is a finding. Errors:
/// KernelError::kGuardUnavailable if no process can be made.
Result<Findings> try_kernel(const Trial& trial, const std::string& id, const std::string& object);

}  // namespace esper::urabrask
