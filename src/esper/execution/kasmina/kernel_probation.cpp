#include "esper/execution/kasmina/kernel_probation.h"

#include <fmt/format.h>

#include <exception>
#include <thread>

#include "esper/engine/joint/branch_comparison.h"
#include "esper/engine/joint/branch_recording.h"
#include "esper/utils/logging.h"

namespace esper::execution {

namespace {

using Clock = std::chrono::steady_clock;

// The gauntlet has found it exact on many cases. Here, where a run's own numbers may cost any order
// of summation its digits, the bounds are wide: they find what is wrong, not what is rounded.
constexpr graph::ComparisonBound kBound32{.floor = 1e-3, .times_aten = 32};
constexpr graph::ComparisonBound kBound16{.floor = 0.05, .times_aten = 32};

std::vector<std::string> result_names(const graph::Program& branch) {
    std::vector<std::string> names{"y", "dx"};
    for (const auto& p : branch.parameters()) names.push_back("the gradient of " + p.name);
    return names;
}

Status compare_with_operators(const graph::BranchKernel& kernel, const graph::BranchPass& pass,
                              const graph::ProgramPtr& branch, graph::Precision precision) {
    ESPER_TRY(auto forward, graph::run_forward(kernel, pass.x, pass.parameters, 1, 0));
    auto got = pass.gradients;
    got.insert(got.begin(), forward.y);
    auto aten = graph::interpret_branch(branch, pass.parameters, pass.x, pass.gradient, precision);
    std::vector<at::Tensor> precise;
    for (const auto& p : pass.parameters) precise.push_back(p.to(at::kDouble));
    auto reference =
        graph::interpret_branch(branch, precise, pass.x.to(at::kDouble),
                                pass.gradient.to(at::kDouble), graph::Precision::kFloat32);
    // Operators that cannot be run say nothing about the kernel.
    if (!aten || !reference) return {};
    auto names = result_names(*branch);
    if (!got[1].defined()) {  // nobody wanted dx
        for (auto* results : {&got, &*aten, &*reference}) results->erase(results->begin() + 1);
        names.erase(names.begin() + 1);
    }
    const auto found =
        graph::compare_branches(names, got, *aten, *reference,
                                precision == graph::Precision::kBFloat16 ? kBound16 : kBound32);
    if (found.why.empty()) return {};
    return fail(KernelError::kWrongResult,
                fmt::format("kernel {} is wrong on this run's batch: {}", kernel.id, found.why));
}

}  // namespace

double KernelUse::mean_us() const {
    const auto direct = calls - guarded;
    return direct > 0 ? std::chrono::duration<double, std::micro>(in_process).count() /
                            static_cast<double>(direct)
                      : 0;
}

Status KernelProbation::in_process(KernelFunction function, const EsperKernelCall& call) {
    const auto begun = Clock::now();
    const auto code = function(&call);
    use_.in_process += Clock::now() - begun;
    if (code == 0) return {};
    return fail(KernelError::kReturnedError, fmt::format("it returned {}", code));
}

Status KernelProbation::guarded(KernelFunction function, const graph::BranchKernel& kernel,
                                const EsperKernelCall& call) {
    Status done;
    if (!guard_) {
        if (auto made = KernelGuard::make(options_.limits))
            guard_.emplace(std::move(*made));
        else
            done = fail(made.error());
    }
    const auto begun = Clock::now();
    if (guard_) done = guard_->call(function, *kernel.info, call);
    if (done || !done.error().is(KernelError::kGuardUnavailable)) {
        ++use_.guarded;
        const std::chrono::duration<double, std::micro> took = Clock::now() - begun;
        using utils::kv;
        ESPER_LOG_DEBUG("kernel call guarded", kv("kernel", kernel.id), kv("us", took.count()));
        return done;
    }
    // Both keys vouch for it: a machine without a process to spare runs it all the same.
    unguarded_ = done.error().message();
    return in_process(function, call);
}

Status KernelProbation::call(const graph::BranchKernel& kernel, graph::KernelPart part,
                             const EsperKernelCall& call) {
    const auto function = part == graph::KernelPart::kForward ? kernel.forward : kernel.backward;
    ++use_.calls;
    auto done = is_over() ? in_process(function, call) : guarded(function, kernel, call);
    if (done) {
        if (is_over()) guard_.reset();
        return done;
    }
    ++use_.errors;
    return fail(done.error().within("kernel " + kernel.id));
}

// In a thread of its own: the caller's may be recording, or run below autograd.
Status KernelProbation::examine(const graph::BranchKernel& kernel, const graph::BranchPass& pass) {
    if (examined_ || !branch || use_.guarded == 0) return {};
    examined_ = true;
    Status verdict;
    std::thread([&] {
        try {
            verdict = compare_with_operators(kernel, pass, branch, precision_);
        } catch (const std::exception&) {
            // Of the operators, as above.
        }
    }).join();
    if (!verdict) ++use_.errors;
    return verdict;
}

}  // namespace esper::execution
