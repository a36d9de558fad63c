#include "esper/services/tezzeret/forge.h"

#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "esper/base/hash.h"
#include "esper/engine/branch_kernel.h"
#include "esper/engine/joint/branch_recording.h"
#include "esper/execution/kernels/branch_library.h"
#include "esper/program/types.h"
#include "esper/services/tezzeret/emit_cpp.h"
#include "esper/services/tezzeret/search.h"
#include "esper/services/tezzeret/tile_graph.h"
#include "esper/services/urabrask/cases.h"

namespace esper::tezzeret {

using graph::Precision;

namespace {

constexpr std::int64_t kTallTile = 96;
constexpr std::int64_t kLowTile = 48;

/// A build of one source by one compiler, and what came of trying it.
struct Attempt {
    std::string id;
    Compiled built;
    std::string compiler;
    urabrask::Findings findings;
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Geometric mean of the gains over the shapes.
double gain(const urabrask::Findings& findings) {
    double sum = 0;
    for (const auto& s : findings.speeds) sum += std::log(std::max(s.times.ratio, 1e-9));
    return findings.speeds.empty() ? 0 : sum / static_cast<double>(findings.speeds.size());
}

std::int64_t features_of(const graph::Program& branch) {
    const auto& shape = branch.inputs()[0].type.shape;
    return shape.empty() ? 0 : shape.size() == 4 ? shape[1] : shape.back();
}

std::vector<std::int64_t> tile_heights(std::int64_t features, Pipeline pipeline) {
    const std::int64_t usual = features <= 128 ? kTallTile : kLowTile;
    if (pipeline == Pipeline::kFast) return {usual};
    return {usual, usual == kTallTile ? kLowTile : kTallTile};
}

}  // namespace

std::string_view pipeline_name(Pipeline pipeline) {
    switch (pipeline) {
        case Pipeline::kFast:
            return "fast";
        case Pipeline::kStandard:
            return "standard";
        case Pipeline::kAggressive:
            return "aggressive";
    }
    return "fast";
}

Pipeline pipeline_for(double load, double interest) {
    constexpr double kIdle = 0.3;
    constexpr double kOften = 0.7;
    if (interest <= kOften) return Pipeline::kFast;
    return load < kIdle ? Pipeline::kAggressive : Pipeline::kStandard;
}

std::optional<Pipeline> pipeline_from_name(std::string_view name) {
    for (auto p : {Pipeline::kFast, Pipeline::kStandard, Pipeline::kAggressive})
        if (name == pipeline_name(p)) return p;
    return {};
}

std::string precision_name(const Order& order) {
    return order.precision == Precision::kBFloat16 ? "bf16" : "fp32";
}

Forged::Status status_of(const Error& not_written) {
    return not_written.is(TezzeretError::kUnsupported) ||
                   not_written.is(graph::GraphError::kNotDifferentiable)
               ? Forged::Status::kUnsupported
               : Forged::Status::kFailed;
}

std::string_view status_name(Forged::Status status) {
    switch (status) {
        case Forged::Status::kValidated:
            return "validated";
        case Forged::Status::kUnsupported:
            return "unsupported";
        case Forged::Status::kWrong:
            return "wrong";
        case Forged::Status::kFailed:
            return "failed";
        case Forged::Status::kNoGain:
            return "no gain";
    }
    return "failed";
}

namespace {

/// Records and lowers a branch for inputs of N images, N sequences of `tokens`, or rows.
Result<TileGraph> lowered(const graph::ProgramPtr& branch, Precision precision,
                          std::int64_t tokens) {
    const auto& type = branch->inputs()[0].type;
    const bool images = type.shape.size() == 4;
    if (type.shape.size() < 2 || type.shape.size() > 4 || features_of(*branch) < 1 ||
        (images && (type.shape[2] < 1 || type.shape[3] < 1)))
        return fail(TezzeretError::kUnsupported, "no rule for an input " + graph::to_string(type));
    if (images && precision == Precision::kBFloat16)
        return fail(TezzeretError::kUnsupported, "no rule for images in bf16");
    auto shape = type.shape;
    // A number of rows that no width of a network has.
    shape[0] = images ? 3 : shape.size() == 3 ? 7 : 1009;
    if (shape.size() == 3) shape[1] = tokens;
    const auto parameters = urabrask::trial_parameters(branch);
    ESPER_TRY(const auto recording,
              graph::record_branch(branch, parameters, graph::features_last(at::randn(shape)),
                                   graph::features_last(at::randn(shape)), precision));
    return lower_to_tiles(recording);
}

}  // namespace

Result<TileGraph> lower_branch(const graph::ProgramPtr& branch, Precision precision,
                               std::int64_t tokens) {
    constexpr std::int64_t kPrime = 149;
    ESPER_TRY(auto tiles, lowered(branch, precision, kPrime));
    if (tiles.sequence > 0) return lowered(branch, precision, tokens);
    return tiles;
}

std::int64_t tokens_of(const Order& order) {
    return !order.shapes.empty() && order.shapes[0].size() == 3 ? order.shapes[0][1] : 128;
}

std::int64_t usual_tile_rows(const graph::Program& branch) {
    return tile_heights(features_of(branch), Pipeline::kFast).front();
}

Result<std::string> kernel_source(const graph::ProgramPtr& branch, Precision precision,
                                  std::int64_t tile_rows, std::int64_t tokens) {
    ESPER_TRY(const auto tiles, lower_branch(branch, precision, tokens));
    return emit_cpp(tiles, {precision == Precision::kBFloat16, tile_rows});
}

std::string artifact_id(const std::string& source, const Compiler& compiler, const TargetIsa& isa,
                        const Optimisation& optimisation, Pipeline pipeline) {
    Sha256Hasher hasher;
    hasher.update_field(source).update_field(compiler.version).update_field(isa.name);
    for (const auto& flag : compiler_flags(isa, optimisation)) hasher.update_field(flag);
    const bool clang = compiler.version.find("clang") != std::string::npos;
    return fmt::format("{}-{}-{}-{}", hasher.finish().hex().substr(0, 32), isa.name,
                       pipeline_name(pipeline), clang ? "clang" : "gcc");
}

Forged forge(const Order& order) {
    const auto begin = std::chrono::steady_clock::now();
    Forged made;
    const auto end = [&](Forged::Status status, std::string why) {
        made.status = status;
        made.why = std::move(why);
        made.seconds = seconds_since(begin);
        return made;
    };
    const auto isa = this_machine();
    made.isa = isa.name;
    const auto& compilers = find_compilers();
    if (compilers.empty()) return end(Forged::Status::kFailed, std::string(kNoCompiler));
    if (order.pipeline == Pipeline::kAggressive) return search(order, isa, compilers);
    const Optimisation optimisation{"-O2"};
    std::optional<Attempt> best;
    std::string wrong;
    std::string failed;
    int compiled = 0;
    for (const auto height : tile_heights(features_of(*order.branch), order.pipeline)) {
        auto source = kernel_source(order.branch, order.precision, height, tokens_of(order));
        if (!source) return end(status_of(source.error()), source.error().message());
        for (const auto& compiler : compilers) {
            if (order.pipeline == Pipeline::kFast && &compiler != &compilers.front()) continue;
            Attempt attempt;
            attempt.id = artifact_id(*source, compiler, isa, optimisation, order.pipeline);
            attempt.compiler = compiler.version;
            auto built = compile(compiler, isa, *source, optimisation, order.least_sandbox);
            if (!built) {
                failed = built.error().message();
                continue;
            }
            attempt.built = std::move(*built);
            made.compile_seconds += attempt.built.cpu_seconds;
            made.variants = ++compiled;
            auto findings = urabrask::try_kernel({order.branch, order.precision, order.shapes},
                                                 attempt.id, attempt.built.object);
            if (!findings) {
                failed = findings.error().message();
                continue;
            }
            attempt.findings = std::move(*findings);
            if (const auto verdict = attempt.findings.verdict(); !verdict) {
                wrong = verdict.error().message();
                continue;
            }
            if (!best || gain(attempt.findings) > gain(best->findings)) best = std::move(attempt);
        }
    }
    if (!best)
        return wrong.empty() ? end(Forged::Status::kFailed, failed)
                             : end(Forged::Status::kWrong, wrong);
    made.id = best->id;
    made.object = std::move(best->built.object);
    made.flags = std::move(best->built.flags);
    made.sandbox = best->built.sandbox;
    made.compiler = std::move(best->compiler);
    made.findings = std::move(best->findings);
    return end(Forged::Status::kValidated, "");
}

}  // namespace esper::tezzeret
