#include "esper/services/tolaria/learn/saved_learner.h"

#include <algorithm>

namespace esper::tolaria {

namespace {

Status take(const Tensors& tensors, const std::string& name, const at::Tensor& into) {
    const auto found = tensors.find(name);
    if (found == tensors.end())
        return fail(TolariaError::kBadCheckpoint, "the checkpoint lacks tensor '" + name + "'");
    if (found->second.sizes() != into.sizes() || found->second.scalar_type() != into.scalar_type())
        return fail(TolariaError::kBadCheckpoint,
                    "the checkpoint's tensor '" + name + "' is of another type than its Program's");
    into.copy_(found->second);
    return {};
}

// What a Program declares is allocated only where the checkpoint brings as much: a stranger's text
// may declare terabytes.
Status check_brought(const Tensors& tensors, const std::string& name, std::int64_t declared) {
    const auto found = tensors.find(name);
    if (found == tensors.end())
        return fail(TolariaError::kBadCheckpoint, "the checkpoint lacks tensor '" + name + "'");
    if (declared <= found->second.numel()) return {};
    return fail(TolariaError::kBadCheckpoint, "the checkpoint's tensor '" + name + "' has " +
                                                  std::to_string(found->second.numel()) +
                                                  " elements, its Program declares " +
                                                  std::to_string(declared));
}

// At most kMaxElements for each of kMaxValues: no sum of them overflows.
std::int64_t elements_of(const graph::Program& program) {
    std::int64_t sum = 0;
    for (const auto& parameter : program.parameters()) sum += parameter.type.numel();
    return sum;
}

// A Program that only declares the parameters of one block, in their order.
Result<graph::ProgramPtr> declarations_of(const graph::Program& program, const std::string& block,
                                          const std::vector<std::string>& blocks) {
    const auto is_of = [](const std::string& name, const std::string& owner) {
        return owner != "host" && name.starts_with(owner + ".");
    };
    graph::Program::Parts parts;
    for (auto parameter : program.parameters()) {
        const bool seeds = std::ranges::any_of(
            blocks, [&](const std::string& owner) { return is_of(parameter.name, owner); });
        if (block == "host" ? seeds : !is_of(parameter.name, block)) continue;
        parameter.value = graph::ValueId(parts.value_count++);
        parts.parameters.push_back(std::move(parameter));
    }
    return graph::Program::make(std::move(parts));
}

}  // namespace

void save_tensors(const graph::TensorStore& store, const Optimizer& optimizer,
                  const std::string& prefix, Tensors& tensors) {
    for (const auto& block : store.blocks()) tensors[prefix + "block." + block->name] = block->flat;
    for (const auto& [name, t] : store.buffers()) tensors[prefix + "buffer." + name] = t;
    for (const auto& [name, t] : store.controls()) tensors[prefix + "control." + name] = t;
    for (const auto& [block, s] : optimizer.state()) {
        if (s.first.defined()) tensors[prefix + "first." + block] = s.first;
        if (s.second.defined()) tensors[prefix + "second." + block] = s.second;
    }
}

Result<graph::TensorStore> restore_store(const graph::TensorStore::Options& options,
                                         const graph::Program& program,
                                         const std::vector<std::string>& blocks,
                                         const std::string& prefix, const Tensors& tensors) {
    graph::TensorStore store(options);
    for (const auto& name : blocks) {
        ESPER_TRY(const auto declared, declarations_of(program, name, blocks));
        ESPER_CHECK_STATUS(
            check_brought(tensors, prefix + "block." + name, elements_of(*declared)));
        ESPER_CHECK_STATUS(store.add(*declared, name));
        const auto block = store.find_block(name);
        if (!block)
            return fail(TolariaError::kBadCheckpoint,
                        "the checkpoint names a block '" + name +
                            "' of which its Program has no parameter");
        ESPER_CHECK_STATUS(take(tensors, prefix + "block." + name, block->flat));
    }
    for (const auto& parameter : program.parameters())
        if (store.find_parameter(parameter.name) == nullptr)
            return fail(TolariaError::kBadCheckpoint,
                        "no block of the checkpoint holds parameter '" + parameter.name + "'");
    for (const auto& buffer : program.buffers())
        ESPER_CHECK_STATUS(
            check_brought(tensors, prefix + "buffer." + buffer.name, buffer.type.numel()));
    ESPER_CHECK_STATUS(store.add(program, "none"));  // buffers and controls
    for (const auto& [name, t] : store.buffers())
        ESPER_CHECK_STATUS(take(tensors, prefix + "buffer." + name, t));
    for (const auto& [name, t] : store.controls())
        ESPER_CHECK_STATUS(take(tensors, prefix + "control." + name, t));
    return store;
}

std::map<std::string, Optimizer::BlockState> restore_optimizer(const SavedLearner& saved,
                                                               const std::string& prefix,
                                                               const Tensors& tensors) {
    std::map<std::string, Optimizer::BlockState> state;
    for (const auto& [block, steps] : saved.optimizer_steps) {
        auto& s = state[block];
        s.steps = steps;
        if (auto it = tensors.find(prefix + "first." + block); it != tensors.end())
            s.first = it->second;
        if (auto it = tensors.find(prefix + "second." + block); it != tensors.end())
            s.second = it->second;
    }
    return state;
}

}  // namespace esper::tolaria
