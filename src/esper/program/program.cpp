#include "esper/program/program.h"

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>

#include "esper/program/program_checks.h"
#include "esper/program/program_hash.h"

namespace esper::graph {
namespace {

constexpr std::array<std::string_view, 3> kAnchorKinds{"image", "vector", "tokens"};

}  // namespace

struct Program::HashCell {
    std::once_flag once;
    Sha256 hash;
};

std::string_view anchor_kind_name(AnchorKind kind) {
    const auto index = static_cast<std::size_t>(kind);
    return index < kAnchorKinds.size() ? kAnchorKinds[index] : "?";
}

std::optional<AnchorKind> anchor_kind_from_name(std::string_view name) {
    for (std::size_t i = 0; i < kAnchorKinds.size(); ++i) {
        if (kAnchorKinds[i] == name) return static_cast<AnchorKind>(i);
    }
    return std::nullopt;
}

bool is_in_place(std::string_view op) {
    op = op.substr(0, op.find('.'));
    return op.size() > 2 && op.ends_with('_') && !op.ends_with("__");
}

Result<ProgramPtr> Program::make(Parts parts) {
    NameOrders orders(parts);
    ESPER_TRY(std::vector<Value> values, check_structure(parts, orders));
    for (Parameter& item : parts.parameters) item.init = normalised(item.init);
    for (Buffer& item : parts.buffers) item.init = normalised(item.init);

    std::shared_ptr<Program> program(new Program(std::move(parts)));
    program->values_ = std::move(values);
    program->by_name_ = {std::move(orders.inputs),  std::move(orders.parameters),
                         std::move(orders.buffers), std::move(orders.controls),
                         std::move(orders.outputs), std::move(orders.anchors)};
    program->hash_ = std::make_shared<HashCell>();
    return program;
}

std::string_view Program::value_name(ValueId id) const {
    if (id.value() >= values_.size()) return "";
    const Value& value = values_[id.value()];
    switch (value.kind) {
        case Value::Kind::kInput:
            return parts_.inputs[value.index].name;
        case Value::Kind::kParameter:
            return parts_.parameters[value.index].name;
        case Value::Kind::kBuffer:
            return parts_.buffers[value.index].name;
        case Value::Kind::kControl:
            return parts_.controls[value.index].name;
        case Value::Kind::kResult:
            break;
    }
    return "";
}

template <typename T>
const T* Program::find(const std::vector<std::uint32_t>& order, const std::vector<T>& items,
                       std::string_view name) const {
    const auto at = std::lower_bound(
        order.begin(), order.end(), name,
        [&](auto i, std::string_view wanted) { return std::string_view(items[i].name) < wanted; });
    return at != order.end() && items[*at].name == name ? &items[*at] : nullptr;
}

const Parameter* Program::find_parameter(std::string_view name) const {
    return find(by_name_.parameters, parts_.parameters, name);
}
const Buffer* Program::find_buffer(std::string_view name) const {
    return find(by_name_.buffers, parts_.buffers, name);
}
const Control* Program::find_control(std::string_view name) const {
    return find(by_name_.controls, parts_.controls, name);
}
const Anchor* Program::find_anchor(std::string_view name) const {
    return find(by_name_.anchors, parts_.anchors, name);
}
const Output* Program::find_output(std::string_view name) const {
    return find(by_name_.outputs, parts_.outputs, name);
}
const Input* Program::find_input(std::string_view name) const {
    return find(by_name_.inputs, parts_.inputs, name);
}

std::int64_t Program::parameter_count() const {
    std::int64_t total = 0;
    for (const Parameter& parameter : parts_.parameters) {
        if (__builtin_add_overflow(total, parameter.type.numel(), &total)) {
            return std::numeric_limits<std::int64_t>::max();
        }
    }
    return total;
}

const Sha256& Program::hash() const {
    std::call_once(hash_->once, [this] { hash_->hash = canonical_hash(*this); });
    return hash_->hash;
}

}  // namespace esper::graph
