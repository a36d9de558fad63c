#include <algorithm>
#include <map>

#include "esper/program/cost/cost_formulas.h"

namespace esper::graph::cost_rules {

namespace {

using Shape = std::vector<std::int64_t>;

std::uint64_t elements(const Shape& shape) {
    std::uint64_t n = 1;
    for (const auto size : shape) n *= static_cast<std::uint64_t>(size);
    return n;
}

/// Multiply-adds of `a,b->c`: the product of the sizes of all labels. "..." stands for the
/// dimensions without a label, of the first operand that has it.
std::uint64_t combinations(const std::string& equation, const std::vector<const Shape*>& shapes) {
    std::map<char, std::uint64_t> sizes;
    std::uint64_t rest = 1;
    std::size_t operand = 0;
    std::size_t at = 0;
    const auto end = equation.find("->");
    for (std::size_t begin = 0; begin <= std::min(end, equation.size()) && operand < shapes.size();
         ++operand) {
        const auto stop = std::min(equation.find(',', begin), std::min(end, equation.size()));
        std::string labels;
        std::size_t dots = std::string::npos;
        for (std::size_t i = begin; i < stop; ++i) {
            const char c = equation[i];
            if (c == '.' && dots == std::string::npos) dots = labels.size();
            if (c != '.' && c != ' ') labels += c;
        }
        const auto& shape = *shapes[operand];
        const std::size_t left = shape.size() > labels.size() ? shape.size() - labels.size() : 0;
        at = 0;
        std::uint64_t skipped = 1;
        for (std::size_t d = 0; d < shape.size(); ++d) {
            if (dots != std::string::npos && d >= dots && d < dots + left) {
                skipped *= static_cast<std::uint64_t>(shape[d]);
            } else if (at < labels.size()) {
                auto& size = sizes[labels[at++]];
                size = std::max(size, static_cast<std::uint64_t>(shape[d]));
            }
        }
        rest = std::max(rest, skipped);
        begin = stop + 1;
    }
    std::uint64_t total = rest;
    for (const auto& [label, size] : sizes) total *= size;
    return total;
}

}  // namespace

Flops einsum(const CostCall& call) {
    const auto shapes = call.shapes(1);
    const auto macs = combinations(call.text(0), shapes);
    const std::uint64_t pairs = shapes.size() > 1 ? shapes.size() - 1 : 1;
    return {2 * macs * pairs, 2 * macs * call.gradients_in(1)};
}

Flops bilinear_form(const CostCall& call) {
    const auto& weight = call.shape(2);
    const auto rows = weight.empty() || weight[0] == 0
                          ? 0
                          : call.out_numel() / static_cast<std::uint64_t>(weight[0]);
    const auto macs = rows * elements(weight);
    Flops f{2 * macs, 0};
    for (const std::size_t i : {0U, 1U, 2U})
        if (call.needs_gradient(i)) f.backward += 2 * macs;
    if (call.has(3)) f.forward += call.out_numel();
    if (call.needs_gradient(3)) f.backward += call.out_numel();
    return f;
}

Flops recurrent(const CostCall& call) {
    const auto& input = call.shape(0);
    if (input.size() < 2) return {};
    const auto steps = static_cast<std::uint64_t>(input[0]) * static_cast<std::uint64_t>(input[1]);
    std::uint64_t weights = 0;
    for (const auto* shape : call.shapes(2)) weights += elements(*shape);
    const auto forward = 2 * steps * weights;
    const bool gradient = call.needs_gradient(0) || call.gradients_in(2) > 0;
    return {forward, gradient ? 2 * forward : 0};
}

}  // namespace esper::graph::cost_rules
