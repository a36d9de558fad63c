#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "esper/engine/joint/joint_program.h"
#include "esper/services/tezzeret/tezzeret_errors.h"
#include "esper/services/tezzeret/toolchain.h"
#include "esper/services/urabrask/gauntlet.h"

namespace esper::tezzeret {

/// How much is tried for one kernel.
enum class Pipeline : std::uint8_t {
    kFast,      ///< one compiler, one tile height
    kStandard,  ///< every compiler and two tile heights; the fastest that is correct
};
std::string_view pipeline_name(Pipeline pipeline);
std::optional<Pipeline> pipeline_from_name(std::string_view name);

/// A kernel to make.
struct Order {
    graph::ProgramPtr branch;
    graph::Precision precision = graph::Precision::kFloat32;
    /// Shapes of the branch's input that it shall be fast on.
    std::vector<std::vector<std::int64_t>> shapes;
    Pipeline pipeline = Pipeline::kFast;
    /// Below that nothing is compiled.
    execution::SandboxLevel least_sandbox = execution::SandboxLevel::kLimits;
};

/// What came of an order.
struct Forged {
    enum class Status : std::uint8_t {
        kValidated,
        kUnsupported,  ///< the compiler has no rule for a part of the branch
        kWrong,        ///< compiled, but not what the interpreter computes
        kFailed,       ///< no compiler, or it failed
    };
    Status status = Status::kFailed;
    std::string why;     ///< where it is not validated
    std::string id;      ///< of the artifact: hash-isa-pipeline-compiler
    std::string object;  ///< the shared object
    std::string compiler;
    std::string flags;
    std::string isa;
    execution::SandboxLevel sandbox = execution::SandboxLevel::kLimits;  ///< of the compiler
    urabrask::Findings findings;
    double compile_seconds = 0;  ///< processor time of the compilers
    double seconds = 0;          ///< wall time from order to verdict
};
std::string_view status_name(Forged::Status status);

/// Compiles a branch, tries it (urabrask/gauntlet.h) and returns what came of it. Nothing of the
/// kernel runs in this process. Set libtorch's threads to 1 before: the trial is a copy of this
/// process.
Forged forge(const Order& order);

/// The source text of a branch's kernel, as the compiler is given it. Where the branch mixes tokens
/// the kernel is for sequences of `tokens`. Errors: kUnsupported, those of recording.
Result<std::string> kernel_source(const graph::ProgramPtr& branch, graph::Precision precision,
                                  std::int64_t tile_rows, std::int64_t tokens = 128);

/// The id of what this compiler makes of this source: a hash of the source, which contains the
/// interface and the runtime, of the compiler's version and of every flag.
std::string artifact_id(const std::string& source, const Compiler& compiler, const TargetIsa& isa,
                        const std::string& level, Pipeline pipeline);

}  // namespace esper::tezzeret
