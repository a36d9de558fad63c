#include "esper/engine/tensor_store.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "esper/base/random.h"
#include "esper/engine/torch_compat.h"

namespace esper::graph {

namespace {

constexpr std::int64_t kAlignment = 16;

std::int64_t padded(std::int64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

at::Tensor shaped_view(const at::Tensor& flat, std::int64_t offset, const Parameter& parameter,
                       bool channels_last) {
    auto part = flat.narrow(0, offset, parameter.type.numel());
    const auto& s = parameter.type.shape;
    if (channels_last && s.size() == 4)
        return part.view({s[0], s[2], s[3], s[1]}).permute({0, 3, 1, 2});
    return part.view(s);
}

// Fills in logical (row-major) order, so that the memory order of a tensor does not change its
// values.
void initialise(const at::Tensor& target, const Init& init, std::uint64_t seed,
                const std::string& name) {
    if (init.kind == Init::Kind::kZeros) {
        target.zero_();
        return;
    }
    if (init.kind == Init::Kind::kConstant) {
        target.fill_(init.value);
        return;
    }
    auto values = at::empty(target.sizes(), at::kFloat);
    RandomStream random(seed, "init:" + name);
    auto* p = values.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < values.numel(); ++i)
        p[i] = static_cast<float>(init.kind == Init::Kind::kNormal
                                      ? random.normal() * init.value
                                      : random.uniform(-init.value, init.value));
    target.copy_(values);
}

Status check_same_type(std::string_view name, const at::Tensor& have, const TensorType& want) {
    if (have.sizes() == at::IntArrayRef(want.shape)) return {};
    return fail(GraphError::kShapeMismatch,
                fmt::format("'{}' exists with shape [{}], the Program declares {}", name,
                            fmt::join(have.sizes(), ", "), to_string(want)));
}

}  // namespace

Status TensorStore::add(const Program& program, std::string_view block, std::string_view prefix) {
    auto fresh = std::make_shared<TensorBlock>();
    fresh->name = std::string(block);
    std::vector<const Parameter*> declared;
    std::int64_t total = 0;
    for (const auto& p : program.parameters()) {
        if (!p.name.starts_with(prefix)) continue;
        if (const auto* have = find_parameter(p.name)) {
            ESPER_CHECK_STATUS(check_same_type(p.name, have->value, p.type));
            continue;
        }
        declared.push_back(&p);
        total += padded(p.type.numel());
    }
    if (!declared.empty()) {
        fresh->flat = at::zeros({total}, at::kFloat);
        fresh->grad = at::zeros({total}, at::kFloat);
        std::int64_t offset = 0;
        for (const auto* p : declared) {
            auto value = shaped_view(fresh->flat, offset, *p, options_.channels_last);
            initialise(value, p->init, options_.seed, p->name);
            fresh->entries.push_back({p->name, offset, p->type.numel(), value,
                                      shaped_view(fresh->grad, offset, *p, options_.channels_last),
                                      p->trainable});
            offset += padded(p->type.numel());
        }
        blocks_.push_back(std::move(fresh));
    }
    for (const auto& b : program.buffers()) {
        if (!b.name.starts_with(prefix)) continue;
        if (auto it = buffers_.find(b.name); it != buffers_.end()) {
            ESPER_CHECK_STATUS(check_same_type(b.name, it->second, b.type));
            continue;
        }
        auto value = at::zeros(b.type.shape, to_scalar_type(b.type.dtype));
        initialise(value, b.init, options_.seed, b.name);
        buffers_.emplace(b.name, value);
    }
    for (const auto& c : program.controls())
        if (!controls_.count(c.name))
            controls_.emplace(c.name, at::full({}, c.initial, at::kFloat));
    return {};
}

void TensorStore::remove(std::string_view block, std::string_view prefix) {
    std::erase_if(blocks_, [&](const auto& b) { return b->name == block; });
    auto starts = [&](const auto& item) { return item.first.starts_with(prefix); };
    std::erase_if(buffers_, starts);
    std::erase_if(controls_, starts);
}

void TensorStore::remove_control(std::string_view name) {
    if (auto it = controls_.find(name); it != controls_.end()) controls_.erase(it);
}

std::shared_ptr<TensorBlock> TensorStore::find_block(std::string_view name) const {
    for (const auto& b : blocks_)
        if (b->name == name) return b;
    return nullptr;
}

const TensorBlock::Entry* TensorStore::find_parameter(std::string_view name) const {
    for (const auto& b : blocks_)
        for (const auto& e : b->entries)
            if (e.name == name) return &e;
    return nullptr;
}

Result<at::Tensor> TensorStore::find(std::string_view name) const {
    if (const auto* p = find_parameter(name)) return p->value;
    if (auto it = buffers_.find(name); it != buffers_.end()) return it->second;
    if (auto it = controls_.find(name); it != controls_.end()) return it->second;
    return fail(GraphError::kUnknownName,
                fmt::format("the store holds no parameter, buffer or control named '{}'", name));
}

Status TensorStore::set_control(std::string_view name, double value) {
    auto it = controls_.find(name);
    if (it == controls_.end())
        return fail(GraphError::kUnknownName, fmt::format("no control is named '{}'", name));
    it->second.fill_(value);
    return {};
}

TensorStore TensorStore::clone() const {
    TensorStore copy(options_);
    for (const auto& b : blocks_) {
        auto block = std::make_shared<TensorBlock>();
        block->name = b->name;
        block->flat = b->flat.clone();
        block->grad = at::zeros_like(b->grad);
        for (const auto& e : b->entries) {
            auto strided = [&](const at::Tensor& flat, const at::Tensor& like) {
                return flat.as_strided(like.sizes(), like.strides(), e.offset);
            };
            block->entries.push_back({e.name, e.offset, e.numel, strided(block->flat, e.value),
                                      strided(block->grad, e.value), e.trainable});
        }
        copy.blocks_.push_back(std::move(block));
    }
    for (const auto& [name, t] : buffers_) copy.buffers_.emplace(name, t.clone());
    for (const auto& [name, t] : controls_) copy.controls_.emplace(name, t.clone());
    return copy;
}

Status TensorStore::copy_from(const TensorStore& other) {
    auto copy = [&](const std::string& name, const at::Tensor& to) -> Status {
        ESPER_TRY(at::Tensor from, other.find(name));
        if (from.sizes() != to.sizes() || from.scalar_type() != to.scalar_type())
            return fail(GraphError::kShapeMismatch,
                        fmt::format("'{}': shapes [{}] and [{}] differ", name,
                                    fmt::join(from.sizes(), ", "), fmt::join(to.sizes(), ", ")));
        to.copy_(from);
        return {};
    };
    for (const auto& b : blocks_)
        for (const auto& e : b->entries) ESPER_CHECK_STATUS(copy(e.name, e.value));
    for (const auto& [name, t] : buffers_) ESPER_CHECK_STATUS(copy(name, t));
    for (const auto& [name, t] : controls_) ESPER_CHECK_STATUS(copy(name, t));
    return {};
}

}  // namespace esper::graph
