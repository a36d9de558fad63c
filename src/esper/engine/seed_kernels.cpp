#include "esper/engine/seed_kernels.h"

#include <algorithm>

#include "esper/engine/operators/branch_kernel_operators.h"
#include "esper/program/edits/edits.h"

namespace esper::graph {

void SeedKernels::set(const std::string& seed, SeedKernel kernel) {
    kernels_[seed] = std::move(kernel);
    ++revision_;
}

void SeedKernels::remove(const std::string& seed) {
    if (kernels_.erase(seed) > 0) ++revision_;
}

void SeedKernels::replace_all(std::map<std::string, SeedKernel> kernels) {
    if (kernels == kernels_) return;
    kernels_ = std::move(kernels);
    ++revision_;
}

std::ptrdiff_t SeedKernels::failures() const {
    return std::ranges::count_if(kernels_,
                                 [](const auto& item) { return item.second.kernel->failed; });
}

std::string SeedKernels::used_by(const Program& program) const {
    std::string used;
    if (kernels_.empty()) return used;
    for (const auto& seed : seeds_in(program))
        if (const auto found = kernels_.find(seed.seed);
            found != kernels_.end() && !found->second.kernel->failed)
            used += seed.seed + "=" + found->second.kernel->id + ";";
    return used;
}

namespace {

bool is_inside(const Program& program, const SeedBranch& branch, ValueId value) {
    const auto& origin = program.value(value);
    return origin.kind == Value::Kind::kResult && origin.index >= branch.begin &&
           origin.index < branch.end && value != branch.y;
}

Result<OpCall> call_of(const SeedBranch& branch, const std::string& seed,
                       const BranchKernelPtr& kernel) {
    ESPER_TRY(auto handle, find_operator("esper::branch_kernel"));
    OpCall call(std::move(handle));
    call.label = "the kernel " + kernel->id + " of seed " + seed;
    call.stack = {c10::IValue(), c10::IValue(), c10::IValue(number_of_kernel(kernel))};
    call.slot_arguments.push_back({0, branch.x.value()});
    OpCall::ListArgument parameters{1, {}, OpCall::ListArgument::Elements::kTensors};
    for (const auto parameter : branch.parameters) parameters.slots.push_back(parameter.value());
    call.list_arguments.push_back(std::move(parameters));
    call.results.push_back(branch.y.value());
    return call;
}

}  // namespace

Result<std::vector<KernelRegion>> kernel_regions(const Program& program, const SeedKernels& kernels,
                                                 const std::vector<ValueId>& asked_for) {
    std::vector<KernelRegion> regions;
    if (kernels.all().empty()) return regions;
    for (const auto& seed : seeds_in(program)) {
        const auto known = kernels.all().find(seed.seed);
        if (known == kernels.all().end() || known->second.kernel->failed) continue;
        ESPER_TRY(const auto branch, seed_branch(program, seed.seed, known->second.sample));
        if (branch.program->hash().hex() != known->second.branch)
            return fail(GraphError::kHashMismatch,
                        "kernel " + known->second.kernel->id + " is for the branch " +
                            known->second.branch.substr(0, 12) + ", seed '" + seed.seed + "' is " +
                            branch.program->hash().hex().substr(0, 12));
        if (std::ranges::any_of(asked_for,
                                [&](ValueId id) { return is_inside(program, branch, id); }))
            continue;
        if (const auto& watch = known->second.kernel->watch) watch->branch = branch.program;
        ESPER_TRY(auto call, call_of(branch, seed.seed, known->second.kernel));
        regions.push_back({branch.begin, branch.end, std::move(call), known->second.kernel});
    }
    return regions;
}

}  // namespace esper::graph
