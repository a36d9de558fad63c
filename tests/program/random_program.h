#pragma once
// Random Programs of real operators (with views, in-place calls and lists) for property tests.

#include <rapidcheck.h>

#include <algorithm>
#include <set>

#include "esper/program/effects.h"
#include "program/small_programs.h"

namespace esper::graph::testing {

/// A number from `least` to `most` - 1; does not depend on rapidcheck's current size.
template <typename T>
T random_number(T least, T most) {
    return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(least, most));
}

inline std::string random_name(std::string_view stem, std::size_t number) {
    const auto odd = *rc::gen::element<std::string>("", "", "", ".w", " `x`", "é", "\"", "%1");
    return std::string(stem) + std::to_string(number) + odd;
}

inline double random_double() {
    return *rc::gen::oneOf(rc::gen::arbitrary<double>(),
                           rc::gen::element(0.0, -0.0, 1.0, 0.1, 1e300, 1e-310));
}

inline Init random_init() {
    const auto kind = *rc::gen::element(Init::Kind::kZeros, Init::Kind::kConstant,
                                        Init::Kind::kNormal, Init::Kind::kUniform);
    return {kind, kind == Init::Kind::kZeros ? 0.0 : std::abs(random_double())};
}

/// The values that exist so far; arguments are drawn from them.
class RandomCalls {
  public:
    explicit RandomCalls(Hand& hand) : hand_(hand) {}

    void add(ValueId id) { values_.push_back(id); }
    ValueId any() const { return *rc::gen::elementOf(values_); }

    void call() {
        const auto scope = *rc::gen::element<std::string>("", "layer1.0", "a b", "0");
        switch (random_number(0, 9)) {
            case 0:
                return add(hand_.call("aten::relu", {any()}, scope));
            case 1:
                return add(hand_.call("aten::relu_", {any()}, scope));
            case 2:
                return add(hand_.call("aten::add.Tensor",
                                      {any(), any(), integer(*rc::gen::arbitrary<std::int64_t>())},
                                      scope));
            case 3:
                return add(hand_.call("aten::mul.Tensor", {any(), any()}, scope));
            case 4: {
                ValueList list;
                const int size = random_number(0, 4);
                for (int i = 0; i < size; ++i) list.emplace_back(any());
                return add(hand_.call("aten::cat",
                                      {list, integer(*rc::gen::arbitrary<std::int64_t>())}, scope));
            }
            case 5:
                return add(hand_.call(
                    "aten::view",
                    {any(), Constant{*rc::gen::arbitrary<std::vector<std::int64_t>>()}}, scope));
            case 6:
                return add(hand_.call("aten::dropout",
                                      {any(), real(random_double()), Constant{TrainingFlag{}}},
                                      scope));
            case 7: {
                const auto two = hand_.call_n("aten::native_layer_norm",
                                              {any(), Constant{std::vector<std::int64_t>{8}}, any(),
                                               Constant{}, real(random_double())},
                                              3, scope);
                for (const ValueId id : two) add(id);
                return;
            }
            default:
                return add(hand_.call("aten::copy_",
                                      {any(), any(), flag(*rc::gen::arbitrary<bool>())}, scope));
        }
    }

  private:
    Hand& hand_;
    std::vector<ValueId> values_;
};

inline Program::Parts random_parts() {
    Hand hand(*rc::gen::element<std::string>("", "net", "a \"b\""));
    RandomCalls calls(hand);
    const auto count = [](int least, int most) { return random_number(least, most); };
    for (int i = count(1, 3); i > 0; --i) {
        calls.add(hand.input(random_name("x", static_cast<std::size_t>(i)), f32({-1, 8})));
    }
    for (int i = count(0, 4); i > 0; --i) {
        calls.add(hand.parameter(random_name("p", static_cast<std::size_t>(i)), f32({8, i}),
                                 random_init(), *rc::gen::arbitrary<bool>()));
    }
    for (int i = count(0, 3); i > 0; --i) {
        calls.add(
            hand.buffer(random_name("b", static_cast<std::size_t>(i)), f32({i}), random_init()));
    }
    for (int i = count(0, 3); i > 0; --i) {
        calls.add(hand.control(random_name("c", static_cast<std::size_t>(i)), random_double()));
    }
    for (int i = count(1, 20); i > 0; --i) calls.call();
    for (int i = count(0, 3); i > 0; --i) {
        hand.output(random_name("o", static_cast<std::size_t>(i)), calls.any());
    }
    for (int i = count(0, 3); i > 0; --i) {
        const auto input = *rc::gen::arbitrary<bool>() ? std::optional(calls.any()) : std::nullopt;
        hand.anchor(random_name("a", static_cast<std::size_t>(i)),
                    *rc::gen::element(AnchorKind::kImage, AnchorKind::kVector, AnchorKind::kTokens),
                    calls.any(), count(1, 100), input);
    }
    return hand.parts;
}

/// A random permutation of 0 … n-1.
inline std::vector<std::uint32_t> random_order(std::size_t n) {
    std::vector<std::uint32_t> order(n);
    for (std::uint32_t i = 0; i < n; ++i) {
        order[i] = i;
        std::swap(order[i], order[random_number(0U, i + 1)]);
    }
    return order;
}

template <typename T>
void shuffle_items(std::vector<T>& items) {
    std::vector<T> shuffled;
    for (const std::uint32_t i : random_order(items.size())) shuffled.push_back(items[i]);
    items = std::move(shuffled);
}

/// Renumbers all values at random.
inline void renumber(Program::Parts& parts) {
    const auto numbers = random_order(parts.value_count);
    const auto rename = [&](ValueId& id) { id = ValueId(numbers[id.value()]); };
    for (auto& item : parts.inputs) rename(item.value);
    for (auto& item : parts.parameters) rename(item.value);
    for (auto& item : parts.buffers) rename(item.value);
    for (auto& item : parts.controls) rename(item.value);
    for (auto& item : parts.outputs) rename(item.value);
    for (auto& item : parts.anchors) {
        rename(item.value);
        if (item.layer_input) rename(*item.layer_input);
    }
    for (auto& item : parts.instructions) {
        for (auto& id : item.results) rename(id);
        for (auto& argument : item.args) {
            if (auto* one = std::get_if<ValueId>(&argument)) rename(*one);
            if (auto* list = std::get_if<ValueList>(&argument)) {
                for (auto& value : *list) {
                    if (value) rename(*value);
                }
            }
        }
    }
}

/// Reorders independent instructions: a reader stays after the maker of its argument, and reads and
/// writes of the same memory keep their order, as do random draws.
inline void reorder(Program::Parts& parts) {
    const std::size_t n = parts.instructions.size();
    std::vector<std::uint32_t> memory(parts.value_count);
    for (std::uint32_t id = 0; id < parts.value_count; ++id) memory[id] = id;
    std::vector<std::set<std::uint32_t>> reads(n), writes(n);
    std::vector<std::set<std::size_t>> before(n);
    std::vector<std::size_t> maker(parts.value_count, n);
    for (std::size_t i = 0; i < n; ++i) {
        const Instruction& item = parts.instructions[i];
        for (const Argument& argument : item.args) {
            for_each_value(argument, [&](ValueId id) {
                reads[i].insert(memory[id.value()]);
                if (maker[id.value()] < n) before[i].insert(maker[id.value()]);
            });
        }
        for (const std::size_t position : written_arguments(item)) {
            for_each_value(item.args[position],
                           [&](ValueId id) { writes[i].insert(memory[id.value()]); });
        }
        const ValueId* first =
            results_share_first_argument(item) ? std::get_if<ValueId>(&item.args[0]) : nullptr;
        for (const ValueId id : item.results) {
            maker[id.value()] = i;
            if (first) memory[id.value()] = memory[first->value()];
        }
        const auto meet = [](const auto& a, const auto& b) {
            return std::any_of(a.begin(), a.end(), [&](auto m) { return b.count(m) > 0; });
        };
        for (std::size_t k = 0; k < i; ++k) {
            if (meet(writes[k], reads[i]) || meet(reads[k], writes[i]) ||
                (draws_random_numbers(item) && draws_random_numbers(parts.instructions[k]))) {
                before[i].insert(k);
            }
        }
    }
    std::vector<Instruction> ordered;
    std::set<std::size_t> done;
    while (done.size() < n) {
        std::vector<std::size_t> ready;
        for (std::size_t i = 0; i < n; ++i) {
            if (done.count(i) == 0 &&
                std::includes(done.begin(), done.end(), before[i].begin(), before[i].end())) {
                ready.push_back(i);
            }
        }
        const std::size_t chosen = *rc::gen::elementOf(ready);
        ordered.push_back(parts.instructions[chosen]);
        done.insert(chosen);
    }
    parts.instructions = std::move(ordered);
}

}  // namespace esper::graph::testing
