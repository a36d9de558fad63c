#include "esper/services/tolaria/learn/weight_mean.h"

namespace esper::tolaria {

namespace {

constexpr const char* kPrefix = "mean.";

// Everything that is averaged: blocks of parameters, and buffers of numbers.
template <typename Visit>
void for_each_tensor(const graph::TensorStore& store, const Visit& visit) {
    for (const auto& block : store.blocks()) visit(kPrefix + ("block." + block->name), block->flat);
    for (const auto& [name, buffer] : store.buffers())
        if (buffer.is_floating_point()) visit(kPrefix + ("buffer." + name), buffer);
}

const at::Tensor* find_like(const Tensors& tensors, const std::string& name, const at::Tensor& t) {
    const auto found = tensors.find(name);
    const bool fits = found != tensors.end() && found->second.sizes() == t.sizes() &&
                      found->second.scalar_type() == t.scalar_type();
    return fits ? &found->second : nullptr;
}

}  // namespace

void WeightMean::take(const graph::ProgramPtr& program, const graph::TensorStore& store) {
    if (decay_ <= 0) return;
    const bool begins = program != program_;
    program_ = program;
    if (begins) mean_.clear();
    for_each_tensor(store, [&](const std::string& name, const at::Tensor& t) {
        auto& mean = mean_[name];
        if (mean.defined())
            mean.lerp_(t, 1 - decay_);
        else
            mean = t.clone();
    });
}

WeightMean::Shown::Shown(const WeightMean& mean, graph::TensorStore& store) : store_(store) {
    for_each_tensor(store, [&](const std::string& name, const at::Tensor& t) {
        const auto* shown = find_like(mean.mean_, name, t);
        if (shown == nullptr) return;
        kept_[name] = t.clone();
        t.copy_(*shown);
    });
}

WeightMean::Shown::~Shown() {
    for_each_tensor(store_, [&](const std::string& name, const at::Tensor& t) {
        if (const auto* kept = find_like(kept_, name, t)) t.copy_(*kept);
    });
}

void WeightMean::save(Tensors& tensors) const { tensors.insert(mean_.begin(), mean_.end()); }

void WeightMean::restore(const graph::ProgramPtr& program, const Tensors& tensors) {
    mean_.clear();
    program_ = nullptr;
    if (decay_ <= 0) return;
    for (const auto& [name, tensor] : tensors)
        if (name.starts_with(kPrefix)) mean_[name] = tensor.clone();
    if (!mean_.empty()) program_ = program;
}

void WeightMean::put_into(graph::TensorStore& store, const Tensors& tensors) {
    for_each_tensor(store, [&](const std::string& name, const at::Tensor& t) {
        if (const auto* mean = find_like(tensors, name, t)) t.copy_(*mean);
    });
}

}  // namespace esper::tolaria
