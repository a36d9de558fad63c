// The tensors of a block that was copied.

#include <ATen/ops/eye.h>
#include <ATen/ops/zeros_like.h>

#include "esper/services/tolaria/learn/learner.h"

namespace esper::tolaria {

namespace {

struct Place {
    const graph::TensorBlock* block = nullptr;
    const graph::TensorBlock::Entry* entry = nullptr;
};

Result<Place> find_place(const graph::TensorStore& store, const std::string& name) {
    for (const auto& block : store.blocks())
        for (const auto& entry : block->entries)
            if (entry.name == name) return Place{block.get(), &entry};
    return fail(graph::GraphError::kUnknownName, "the store holds no parameter '" + name + "'");
}

// Equal names lie in equal order of memory, so a parameter's part of a moment is one stretch.
void copy_part(const at::Tensor& from, const Place& source, at::Tensor& to, const Place& target,
               const at::Tensor& like) {
    if (!from.defined()) return;
    if (!to.defined()) to = at::zeros_like(like);
    to.narrow(0, target.entry->offset, target.entry->numel)
        .copy_(from.narrow(0, source.entry->offset, source.entry->numel));
}

}  // namespace

Status Learner::fill_copy(const graph::SplitTensors& tensors, const std::string& copy) {
    ESPER_CHECK_STATUS(store_.add(*program_, copy, copy + "."));
    for (const auto& name : tensors.halved) {
        ESPER_TRY(auto value, store_.find(name));
        value.mul_(0.5);
    }
    const auto fresh = store_.find_block(copy);
    Optimizer::BlockState state;
    for (const auto& [from, to] : tensors.parameters) {
        ESPER_TRY(const auto source, find_place(store_, from));
        ESPER_TRY(const auto target, find_place(store_, to));
        at::Tensor(target.entry->value).copy_(source.entry->value);
        const auto known = optimizer_.state().find(source.block->name);
        if (known == optimizer_.state().end() || !tensors.identity.empty()) continue;
        state.steps = known->second.steps;
        copy_part(known->second.first, source, state.first, target, fresh->flat);
        copy_part(known->second.second, source, state.second, target, fresh->flat);
    }
    for (const auto& [from, to] : tensors.buffers) {
        ESPER_TRY(const auto source, store_.find(from));
        ESPER_TRY(auto target, store_.find(to));
        target.copy_(source);
    }
    if (!tensors.identity.empty()) {
        ESPER_TRY(auto weight, store_.find(tensors.identity));
        weight.copy_(at::eye(weight.size(0)));
    }
    for (const auto& name : tensors.zeroed) {
        ESPER_TRY(auto value, store_.find(name));
        value.zero_();
    }
    if (state.steps > 0) optimizer_.put(copy, std::move(state));
    return {};
}

}  // namespace esper::tolaria
