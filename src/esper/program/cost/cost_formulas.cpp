#include "esper/program/cost/cost_formulas.h"

#include <algorithm>

namespace esper::graph::cost_rules {

namespace {

/// A product of input 0 and weight 1 with `macs` multiply-adds, and a bias added per output.
Flops bilinear(const CostCall& call, std::uint64_t macs, std::size_t a, std::size_t b,
               std::size_t bias) {
    Flops f{2 * macs, 0};
    for (auto operand : {a, b})
        if (call.needs_gradient(operand)) f.backward += 2 * macs;
    if (call.has(bias)) {
        f.forward += call.out_numel();
        if (call.needs_gradient(bias)) f.backward += call.out_numel();
    }
    return f;
}

/// Additions that bring a gradient of the output's shape down to a broadcast operand's.
std::uint64_t unbroadcast(const CostCall& call, std::size_t i) {
    return call.numel(i) < call.out_numel() ? call.out_numel() - call.numel(i) : 0;
}

std::uint64_t first(const std::vector<std::int64_t>& shape) {
    return shape.empty() ? 1 : static_cast<std::uint64_t>(shape.front());
}

std::uint64_t last(const std::vector<std::int64_t>& shape, std::size_t from_end = 1) {
    return shape.size() < from_end ? 1 : static_cast<std::uint64_t>(shape[shape.size() - from_end]);
}

/// a / b, where an empty tensor makes both 0.
std::uint64_t divide(std::uint64_t a, std::uint64_t b) { return b == 0 ? 0 : a / b; }

std::uint64_t window(const CostCall& call) {
    auto kernel = call.integers(1);
    std::uint64_t size = 1;
    for (auto k : kernel) size *= static_cast<std::uint64_t>(k);
    return kernel.size() == 1 ? size * size : size;
}

Flops normalise(const CostCall& call, std::size_t weight, std::size_t bias) {
    const auto n = call.out_numel();
    Flops f{5 * n, 0};
    if (call.has(weight)) f.forward += n;
    if (call.has(bias)) f.forward += n;
    if (call.needs_gradient(0)) f.backward += (call.has(weight) ? 10 : 9) * n;
    if (call.needs_gradient(weight)) f.backward += 2 * n;
    if (call.needs_gradient(bias)) f.backward += n;
    return f;
}

}  // namespace

Flops free(const CostCall&) { return {}; }

Flops unary(const CostCall& call) {
    return {call.out_numel(), call.needs_gradient(0) ? call.out_numel() : 0};
}

Flops straight_through(const CostCall& call) {
    return {0, call.needs_gradient(1) ? 6 * call.out_numel() : 0};
}

Flops shifted(const CostCall& call) { return {call.out_numel(), 0}; }
Flops no_gradient(const CostCall& call) { return {call.out_numel(), 0}; }

Flops linear(const CostCall& call) {
    return bilinear(call, call.out_numel() * last(call.shape(1)), 0, 1, 2);
}

Flops matrix_product(const CostCall& call) {
    return bilinear(call, call.out_numel() * last(call.shape(0)), 0, 1, call.argument_count());
}

Flops added_matrix_product(const CostCall& call) {
    auto f = bilinear(call, call.out_numel() * last(call.shape(1)), 1, 2, call.argument_count());
    f.forward += call.out_numel();
    if (call.needs_gradient(0)) f.backward += unbroadcast(call, 0);
    return f;
}

Flops convolution(const CostCall& call) {
    // aten::convolution says in argument 6 whether it is transposed; conv1d … conv3d have groups
    // there.
    if (call.flag(6)) return transposed_convolution(call);
    auto per_output = divide(call.numel(1), first(call.shape(1)));
    return bilinear(call, call.out_numel() * per_output, 0, 1, 2);
}

Flops transposed_convolution(const CostCall& call) {
    auto per_input = divide(call.numel(1), first(call.shape(1)));
    return bilinear(call, call.numel(0) * per_input, 0, 1, 2);
}

Flops attention(const CostCall& call) {
    const auto queries = last(call.shape(0), 2);
    const auto keys = last(call.shape(1), 2);
    const auto qk = last(call.shape(0));
    const auto v = last(call.shape(2));
    const auto rows = divide(call.numel(0), queries * qk);
    std::uint64_t pairs = queries * keys;
    if (call.flag(5)) {
        pairs = 0;
        for (std::uint64_t q = 0; q < queries; ++q) pairs += std::min(q + 1, keys);
    }
    pairs *= rows;
    const std::uint64_t mask = call.has(3) ? 1 : 0;
    Flops f{pairs * (2 * qk + 1 + mask + 5 + 2 * v), 0};
    const bool scores = call.needs_gradient(0) || call.needs_gradient(1);
    if (scores) f.backward += pairs * (2 * v + 4 + 1);
    if (call.needs_gradient(0)) f.backward += pairs * 2 * qk;
    if (call.needs_gradient(1)) f.backward += pairs * 2 * qk;
    if (call.needs_gradient(2)) f.backward += pairs * 2 * v;
    return f;
}

Flops embedding(const CostCall& call) { return {0, call.needs_gradient(0) ? call.out_numel() : 0}; }

Flops batch_norm(const CostCall& call) { return normalise(call, 1, 2); }
Flops group_norm(const CostCall& call) { return normalise(call, 2, 3); }
Flops layer_norm(const CostCall& call) { return normalise(call, 2, 3); }

Flops rms_norm(const CostCall& call) {
    const auto n = call.out_numel();
    Flops f{(call.has(2) ? 4 : 3) * n, 0};
    if (call.needs_gradient(0)) f.backward += (call.has(2) ? 6 : 5) * n;
    if (call.needs_gradient(2)) f.backward += 3 * n;
    return f;
}

Flops softmax(const CostCall& call) {
    return {5 * call.out_numel(), call.needs_gradient(0) ? 4 * call.out_numel() : 0};
}

Flops cross_entropy(const CostCall& call) {
    return {5 * call.numel(0), call.needs_gradient(0) ? 2 * call.numel(0) : 0};
}

Flops sum_of_two(const CostCall& call) {
    Flops f{call.out_numel(), 0};
    for (std::size_t i : {0U, 1U})
        if (call.needs_gradient(i)) f.backward += unbroadcast(call, i);
    return f;
}

Flops product_of_two(const CostCall& call) {
    Flops f{call.out_numel(), 0};
    for (std::size_t i : {0U, 1U})
        if (call.needs_gradient(i)) f.backward += call.out_numel() + unbroadcast(call, i);
    return f;
}

Flops quotient_of_two(const CostCall& call) {
    auto f = product_of_two(call);
    if (call.needs_gradient(1)) f.backward += call.out_numel();
    return f;
}

Flops added_product(const CostCall& call) {
    Flops f{2 * call.out_numel(), 0};
    if (call.needs_gradient(0)) f.backward += unbroadcast(call, 0);
    for (std::size_t i : {1U, 2U})
        if (call.needs_gradient(i)) f.backward += call.out_numel() + unbroadcast(call, i);
    return f;
}

Flops sum(const CostCall& call) { return {call.numel(0) - call.out_numel(), 0}; }

Flops mean(const CostCall& call) {
    // numel − out additions, out divisions.
    return {call.numel(0), call.needs_gradient(0) ? call.out_numel() : 0};
}

Flops extreme(const CostCall& call) {
    return {call.numel(0) - call.out_numel(), call.needs_gradient(0) ? call.numel(0) : 0};
}

Flops picked(const CostCall& call) { return {call.numel(0) - call.out_numel(), 0}; }

Flops average_pool(const CostCall& call) {
    auto n = call.out_numel() * window(call);
    return {n, call.needs_gradient(0) ? n : 0};
}

Flops max_pool(const CostCall& call) {
    return {call.out_numel() * (window(call) - 1), call.needs_gradient(0) ? call.out_numel() : 0};
}

Flops average_pool_1d(const CostCall& call) {
    const auto n = call.numel(0);
    return {n, call.needs_gradient(0) ? n : 0};
}

Flops max_pool_1d(const CostCall& call) {
    return {call.numel(0), call.needs_gradient(0) ? call.out_numel() : 0};
}

Flops interpolated(const CostCall& call) {
    const auto n = 8 * call.out_numel();
    return {n, call.needs_gradient(0) ? n : 0};
}

Flops spread(const CostCall& call) {
    const auto n = 3 * call.numel(0);
    return {n, call.needs_gradient(0) ? n : 0};
}

Flops gated(const CostCall& call) {
    const auto n = 5 * call.out_numel();
    return {n, call.needs_gradient(0) ? n : 0};
}

Flops repeated(const CostCall& call) {
    return {0, call.needs_gradient(0) ? unbroadcast(call, 0) : 0};
}

}  // namespace esper::graph::cost_rules
