#include "esper/services/urabrask/gauntlet.h"

#include <ATen/Parallel.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "esper/base/first_line.h"
#include "esper/engine/branch_workspace.h"
#include "esper/engine/joint/branch_comparison.h"
#include "esper/engine/joint/branch_recording.h"
#include "esper/engine/memory/allocation_watch.h"
#include "esper/execution/kernels/branch_library.h"
#include "esper/execution/kernels/child_process.h"
#include "esper/services/urabrask/cases.h"
#include "esper/services/urabrask/guarded_memory.h"

namespace esper::urabrask {

using nlohmann::json;

namespace {

constexpr std::int64_t kMostRows = 2048;  // of a case; more take long and find nothing else
constexpr double kFloorFloat32 = 2e-6;
constexpr double kFloorBFloat16 = 1.0 / 256;

std::vector<std::string> result_names(const graph::Program& branch) {
    std::vector<std::string> names{"y", "dx"};
    for (const auto& p : branch.parameters()) names.push_back("the gradient of " + p.name);
    return names;
}

std::vector<at::Tensor> in_float64(const std::vector<at::Tensor>& tensors) {
    std::vector<at::Tensor> all;
    for (const auto& t : tensors) all.push_back(t.to(at::kDouble));
    return all;
}

/// With an inaccessible page behind each input, result and what is saved.
Result<std::vector<at::Tensor>> run_kernel(const graph::BranchKernel& kernel, const Case& given,
                                           const std::vector<at::Tensor>& plain_parameters) {
    const GuardedMemory guarded;
    const auto copy = [](const at::Tensor& t) { return t.clone(at::MemoryFormat::Preserve); };
    const Case c{given.name, copy(given.x), copy(given.gradient)};
    std::vector<at::Tensor> parameters;
    for (const auto& p : plain_parameters) parameters.push_back(copy(p));
    ESPER_TRY(auto forward, graph::run_forward(kernel, c.x, parameters, 1, 0));
    ESPER_TRY(auto backward,
              graph::run_backward(kernel, c.gradient, c.x, parameters, forward.saved, 1, 0));
    backward.insert(backward.begin(), forward.y);
    return backward;
}

bool same_bits(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
        if (std::memcmp(a[i].const_data_ptr(), b[i].const_data_ptr(), a[i].nbytes()) != 0)
            return false;
    return true;
}

/// The kernel blends, too: beta · x + alpha · s(x).
Status check_blend(const graph::BranchKernel& kernel, const Case& c,
                   const std::vector<at::Tensor>& parameters, const std::vector<at::Tensor>& plain,
                   const std::vector<std::string>& names, double floor) {
    constexpr double kAlpha = 0.25;
    ESPER_TRY(auto forward, graph::run_forward(kernel, c.x, parameters, kAlpha, 1));
    ESPER_TRY(auto got,
              graph::run_backward(kernel, c.gradient, c.x, parameters, forward.saved, kAlpha, 1));
    got.insert(got.begin(), forward.y);
    std::vector<at::Tensor> want;
    for (const auto& t : plain) want.push_back(t.to(at::kDouble).mul(kAlpha));
    want[0].add_(c.x.to(at::kDouble));
    want[1].add_(c.gradient.to(at::kDouble));
    const auto found = graph::compare_branches(names, got, want, want, {.floor = floor});
    if (!found.why.empty()) return fail(UrabraskError::kWrong, "blended: " + found.why);
    return {};
}

Status check_cases(const Trial& trial, const graph::BranchKernel& kernel,
                   const std::vector<at::Tensor>& parameters, Findings& findings) {
    const bool half = trial.precision == graph::Precision::kBFloat16;
    const double floor = half ? kFloorBFloat16 : kFloorFloat32;
    const auto names = result_names(*trial.branch);
    const auto precise = in_float64(parameters);
    const auto& type = trial.branch->inputs()[0].type;
    std::int64_t rows = 1;
    for (const auto& shape : trial.shapes) {
        std::int64_t elements = 1;
        for (auto size : shape) elements *= size;
        rows = std::max(rows, elements / kernel.info->features);
    }
    double worst = -1;
    const auto cases = cases_of(type, kernel.info->tile_rows, kernel.info->rows_multiple,
                                std::min<std::int64_t>(rows, kMostRows));
    for (const auto& c : cases) {
        ESPER_TRY(const auto got, run_kernel(kernel, c, parameters));
        ESPER_TRY(const auto again, run_kernel(kernel, c, parameters));
        ++findings.cases;
        if (!same_bits(got, again))
            return fail(UrabraskError::kWrong, c.name + ": a second call gave other bits");
        ESPER_TRY(const auto aten, graph::interpret_branch(trial.branch, parameters, c.x,
                                                           c.gradient, trial.precision));
        ESPER_TRY(const auto reference,
                  graph::interpret_branch(trial.branch, precise, c.x.to(at::kDouble),
                                          c.gradient.to(at::kDouble), graph::Precision::kFloat32));
        const auto found = graph::compare_branches(names, got, aten, reference, {.floor = floor});
        if (!found.why.empty()) return fail(UrabraskError::kWrong, c.name + ": " + found.why);
        // Elsewhere rounding alone can cost ATen and the kernel most of their digits.
        const bool usual = c.name.ends_with("normal");
        if (usual && found.allowed > 0 && found.error / found.allowed > worst) {
            worst = found.error / found.allowed;
            findings.error = found.error;
            findings.allowed = found.allowed;
        }
        if (findings.cases == 3)
            ESPER_CHECK_STATUS(check_blend(kernel, c, parameters, got, names, floor));
    }
    return {};
}

/// Both passes of a kernel, as a run calls them.
std::function<void()> both_passes(const graph::BranchKernel& kernel, const at::Tensor& x,
                                  const at::Tensor& gradient,
                                  const std::vector<at::Tensor>& parameters) {
    return [&kernel, x, gradient, &parameters] {
        auto forward = value_or_throw(graph::run_forward(kernel, x, parameters, 1, 0));
        value_or_throw(graph::run_backward(kernel, gradient, x, parameters, forward.saved, 1, 0));
    };
}

/// Of the recorded operators. They are made under the watch: libtorch warns of a block that is
/// freed under it and was not allocated under it.
Result<double> operators_peak(const Trial& trial, const std::vector<at::Tensor>& parameters,
                              const at::Tensor& x, const at::Tensor& gradient) {
    graph::AllocationWatch watch;
    ESPER_TRY(auto recording,
              graph::record_branch(trial.branch, parameters, x, gradient, trial.precision));
    ESPER_TRY(auto list, graph::BranchList::make(std::move(recording)));
    watch.restart();
    ESPER_CHECK_STATUS(list.run(x, gradient));
    return static_cast<double>(watch.peak());
}

/// A kernel's workspace is not libtorch's.
double kernel_peak(const graph::BranchKernel& kernel, const at::Tensor& x,
                   const std::function<void()>& call) {
    const graph::AllocationWatch watch;
    call();
    return static_cast<double>(
        watch.peak() + graph::workspace_bytes(*kernel.info, x.numel() / kernel.info->features));
}

Status measure_shapes(const Trial& trial, const graph::BranchKernel& kernel,
                      const std::vector<at::Tensor>& parameters, Findings& findings) {
    for (const auto& shape : trial.shapes) {
        const auto x = graph::features_last(at::randn(shape));
        const auto gradient = graph::features_last(at::randn(shape));
        ESPER_TRY(auto recording,
                  graph::record_branch(trial.branch, parameters, x, gradient, trial.precision));
        ESPER_TRY(auto list, graph::BranchList::make(std::move(recording)));
        const auto ours = both_passes(kernel, x, gradient, parameters);
        const auto peer = [&] { value_or_throw(list.run(x, gradient)); };
        ShapeSpeed speed{shape, measure_pair(ours, peer, trial.rounds, trial.seconds_per_shape)};
        speed.calls = measure_calls(ours, trial.calls, trial.seconds_per_shape / 2);
        speed.peak_bytes = kernel_peak(kernel, x, ours);
        ESPER_TRY(speed.peer_peak_bytes, operators_peak(trial, parameters, x, gradient));
        findings.speeds.push_back(std::move(speed));
    }
    return {};
}

Findings try_here(const Trial& trial, const std::string& id, const std::string& object) {
    Findings findings;
    const auto examine = [&]() -> Status {
        ESPER_TRY(const auto kernel, load_kernel(id, object));
        const auto parameters = trial_parameters(trial.branch);
        ESPER_CHECK_STATUS(check_cases(trial, kernel, parameters, findings));
        return measure_shapes(trial, kernel, parameters, findings);
    };
    try {
        if (const auto status = examine(); !status) findings.why = status.error().message();
    } catch (const std::exception& e) {
        findings.why = first_line(e.what());
    }
    return findings;
}

json to_json(const std::vector<ShapeSpeed>& measured) {
    json speeds = json::array();
    for (const auto& s : measured)
        speeds.push_back({s.shape, s.times.ours_seconds, s.times.peer_seconds, s.times.ratio,
                          s.times.low, s.times.high, s.times.rounds, s.calls.p99_seconds,
                          s.calls.calls, s.peak_bytes, s.peer_peak_bytes});
    return speeds;
}

std::vector<ShapeSpeed> speeds_from_json(const json& j) {
    std::vector<ShapeSpeed> speeds;
    for (const auto& s : j)
        speeds.push_back({s.at(0),
                          {s.at(1), s.at(2), s.at(3), s.at(4), s.at(5), s.at(6)},
                          {s.at(7), s.at(8)},
                          s.at(9),
                          s.at(10)});
    return speeds;
}

json to_json(const Findings& f) {
    return {{"why", f.why},
            {"cases", f.cases},
            {"error", f.error},
            {"allowed", f.allowed},
            {"speeds", to_json(f.speeds)}};
}

Findings from_json(const json& j) {
    Findings f;
    f.why = j.at("why");
    f.cases = j.at("cases");
    f.error = j.at("error");
    f.allowed = j.at("allowed");
    f.speeds = speeds_from_json(j.at("speeds"));
    return f;
}

Result<std::vector<ShapeSpeed>> compare_here(const Trial& trial, const Named& ours,
                                             const Named& peer) {
    ESPER_TRY(const auto kernel, load_kernel(ours.id, ours.object));
    ESPER_TRY(const auto other, load_kernel(peer.id, peer.object));
    const auto parameters = trial_parameters(trial.branch);
    std::vector<ShapeSpeed> speeds;
    for (const auto& shape : trial.shapes) {
        const auto x = graph::features_last(at::randn(shape));
        const auto gradient = graph::features_last(at::randn(shape));
        speeds.push_back({shape, measure_pair(both_passes(kernel, x, gradient, parameters),
                                              both_passes(other, x, gradient, parameters),
                                              trial.rounds, trial.seconds_per_shape)});
    }
    return speeds;
}

// libtorch and the interpreter's copies need address space; what is used is bounded by them.
execution::ChildLimits limits_of(const Trial& trial) {
    return {.cpu_seconds = trial.most_seconds,
            .wall_seconds = 20 * trial.most_seconds,
            .memory_bytes = 0};
}

}  // namespace

Result<graph::BranchKernel> load_kernel(const std::string& id, std::string_view object) {
    ESPER_TRY(auto library, execution::load_branch_library(id, object));
    return graph::BranchKernel{.id = id,
                               .info = library.info,
                               .forward = library.forward,
                               .backward = library.backward,
                               .library = std::move(library.handle),
                               .watch = {},
                               .fault = {}};
}

Result<std::vector<ShapeSpeed>> compare_kernels(const Trial& trial, const Named& ours,
                                                const Named& peer) {
    ESPER_TRY(const auto folder, execution::WorkFolder::make());
    ESPER_TRY(const auto end, execution::run_in_copy(
                                  [&]() -> std::string {
                                      at::set_num_threads(1);
                                      try {
                                          const auto speeds = compare_here(trial, ours, peer);
                                          return speeds ? to_json(*speeds).dump()
                                                        : speeds.error().message();
                                      } catch (const std::exception& e) {
                                          return first_line(e.what());
                                      }
                                  },
                                  folder.path(), limits_of(trial)));
    if (!end.ended_well())
        return fail(UrabraskError::kWrong, "the process that compared kernels " + end.how());
    const auto said = json::parse(end.output, nullptr, false);
    try {
        if (said.is_array() && said.size() == trial.shapes.size()) return speeds_from_json(said);
    } catch (const json::exception&) {  // as what is no list
    }
    return fail(UrabraskError::kWrong, first_line(end.output));
}

Result<Findings> try_kernel(const Trial& trial, const std::string& id, const std::string& object) {
    ESPER_TRY(const auto folder, execution::WorkFolder::make());
    ESPER_TRY(const auto end, execution::run_in_copy(
                                  [&] {
                                      at::set_num_threads(1);
                                      return to_json(try_here(trial, id, object)).dump();
                                  },
                                  folder.path(), limits_of(trial)));
    Findings findings;
    if (end.ended_well()) {
        const auto said = json::parse(end.output, nullptr, false);
        try {
            findings = from_json(said);
        } catch (const json::exception&) {
            findings.why = "the process that tried it said nothing readable";
        }
    } else {
        findings.why = "the process that tried it " + end.how();
    }
    findings.seconds = end.cpu_seconds;
    findings.sandbox = static_cast<int>(end.sandbox);
    return findings;
}

}  // namespace esper::urabrask
