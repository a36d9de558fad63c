#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "esper/engine/joint/joint_program.h"
#include "esper/services/tezzeret/tezzeret_errors.h"
#include "esper/services/tezzeret/tile_graph.h"
#include "esper/services/tezzeret/toolchain.h"
#include "esper/services/urabrask/gauntlet.h"

namespace esper::tezzeret {

/// How much is tried for one kernel.
enum class Pipeline : std::uint8_t {
    kFast,      ///< one compiler, one tile height
    kStandard,  ///< every compiler and two tile heights; the fastest that is correct
    /// a search of minutes (search.h), kept only where it beats the best kernel that is known
    kAggressive,
};
std::string_view pipeline_name(Pipeline pipeline);
std::optional<Pipeline> pipeline_from_name(std::string_view name);

/// Processor seconds of compilers and trials after which an aggressive search tries nothing new.
inline constexpr double kSearchSeconds = 120;

/// A kernel to make.
struct Order {
    graph::ProgramPtr branch;
    graph::Precision precision = graph::Precision::kFloat32;
    /// Shapes of the branch's input that it shall be fast on.
    std::vector<std::vector<std::int64_t>> shapes;
    Pipeline pipeline = Pipeline::kFast;
    /// With kAggressive: the best kernel that is known for this branch, precision and shapes.
    std::optional<urabrask::Named> best_known = {};
    double search_seconds = kSearchSeconds;
    /// Below that nothing is compiled.
    execution::SandboxLevel least_sandbox = execution::SandboxLevel::kLimits;
};
/// Of an order, as manifests and commands name it: fp32 or bf16.
std::string precision_name(const Order& order);

/// What came of an order.
struct Forged {
    enum class Status : std::uint8_t {
        kValidated,
        kUnsupported,  ///< the compiler has no rule for a part of the branch
        kWrong,        ///< compiled, but not what the interpreter computes
        kFailed,       ///< no compiler, or it failed
        kNoGain,       ///< kAggressive: nothing was found that beats the best known beyond doubt
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
    /// With kAggressive: how the best that was found compares with the best known, measured anew
    /// after the search, on each shape.
    std::vector<urabrask::ShapeSpeed> against_known;
    int variants = 1;            ///< kernels that were compiled
    double compile_seconds = 0;  ///< processor time of the compilers
    double seconds = 0;          ///< wall time from order to verdict
};
std::string_view status_name(Forged::Status status);
/// How a branch ends that could not be written as a kernel: kUnsupported where there is no rule for
/// a part of it, else kFailed.
Forged::Status status_of(const Error& not_written);

/// What to make next of a branch that has a kernel of the fast pipeline: kAggressive where the
/// machine is idle (`load` of its processors below 0.3) and runs ask for the branch often
/// (`interest`, Blueprint::tamiyo_interest, above 0.7), kStandard where they do and it is busy,
/// kFast otherwise: nothing.
Pipeline pipeline_for(double load, double interest);

/// Compiles a branch, tries it (urabrask/gauntlet.h) and returns what came of it. Nothing of the
/// kernel runs in this process. Set libtorch's threads to 1 before: the trial is a copy of this
/// process.
Forged forge(const Order& order);

/// The source text of a branch's kernel, as the compiler is given it. Where the branch mixes tokens
/// the kernel is for sequences of `tokens`. Errors: kUnsupported, those of recording.
Result<std::string> kernel_source(const graph::ProgramPtr& branch, graph::Precision precision,
                                  std::int64_t tile_rows, std::int64_t tokens = 128);

/// Records and lowers a branch for inputs of N images, N sequences of `tokens`, or rows, from which
/// emit_cpp() makes the source. Errors as above.
Result<TileGraph> lower_branch(const graph::ProgramPtr& branch, graph::Precision precision,
                               std::int64_t tokens = 128);
/// Tokens in a sequence of the first shape; 128 where it has none.
std::int64_t tokens_of(const Order& order);
/// The height that tiles have with kFast, of branches whose rows do not mix.
std::int64_t usual_tile_rows(const graph::Program& branch);

/// The id of what this compiler makes of this source: a hash of the source, which contains the
/// interface and the runtime, of the compiler's version and of every flag.
std::string artifact_id(const std::string& source, const Compiler& compiler, const TargetIsa& isa,
                        const Optimisation& optimisation, Pipeline pipeline);

}  // namespace esper::tezzeret
