#include <cmath>
#include <optional>

#include "esper/engine/rewrites/matcher.h"

namespace esper::graph {

namespace {

// Longer rows of scores do not fit into the cache together with the rest of a head.
constexpr std::int64_t kMostTokens = 1024;

bool plain_causal(Matcher& m, std::size_t call, std::uint32_t dropout) {
    return m.constant(call, dropout).toDouble() == 0 && m.constant(call, dropout + 1).toBool() &&
           m.argument(call, dropout + 2) == OpCall::kNoSlot &&
           m.constant(call, dropout + 3).isNone();
}

bool fits(Matcher& m, std::size_t call) {
    const auto& q = m.value(m.argument(call, 0));
    if (q.dim() != 4 || q.stride(3) != 1 || q.size(2) > kMostTokens) return false;
    if (q.scalar_type() != at::kFloat && q.scalar_type() != at::kBFloat16) return false;
    for (std::uint32_t p : {1U, 2U}) {
        const auto& other = m.value(m.argument(call, p));
        if (other.sizes() != q.sizes() || other.strides() != q.strides()) return false;
    }
    return true;
}

/// The backward call and the stack of its three results, if they have no other reader.
struct Backward {
    std::size_t call;
    std::size_t stack;
};
std::optional<Backward> backward_of(Matcher& m, std::size_t forward) {
    const auto reader = m.only_reader(m.call(forward).results[1]);
    if (!reader || !m.is(*reader, "aten::_scaled_dot_product_flash_attention_for_cpu_backward") ||
        !plain_causal(m, *reader, 6))
        return {};
    for (std::uint32_t p = 0; p < 3; ++p)
        if (m.argument(*reader, p + 1) != m.argument(forward, p)) return {};
    std::optional<std::size_t> stack;
    for (auto slot : m.call(*reader).results) {
        if (slot == OpCall::kNoSlot) return {};
        const auto next = m.only_reader(slot);
        if (!next || !m.is(*next, "aten::stack") || (stack && *stack != *next)) return {};
        stack = next;
    }
    const auto& lists = m.call(*stack).list_arguments;
    if (lists.size() != 1 || lists[0].slots != m.call(*reader).results ||
        m.constant(*stack, 1).toInt() != 0)
        return {};
    return Backward{*reader, *stack};
}

// Removes the copy into the projection's order, since the gradients have that order already.
void drop_reordering(Matcher& m, std::uint32_t slot) {
    const auto permute = m.only_reader(slot);
    if (!permute || !m.is(*permute, "aten::permute") ||
        m.constant(*permute, 1).toIntVector() != std::vector<std::int64_t>{1, 3, 0, 2, 4})
        return;
    const auto permuted = m.call(*permute).results[0];
    const auto clone = m.only_reader(permuted);
    if (!clone || !m.is(*clone, "aten::clone")) return;
    m.replace(*clone, make_call("aten::alias", {permuted}, m.call(*clone).results));
}

}  // namespace

void replace_causal_attention(RecordedList& list, const RecordedValues& values) {
    Matcher m(list, values);
    for (std::size_t i = 0; i < m.size(); ++i) {
        if (!m.is(i, "aten::_scaled_dot_product_flash_attention_for_cpu") ||
            !plain_causal(m, i, 3) || !fits(m, i))
            continue;
        const auto results = m.call(i).results;
        const bool alone = m.readers(results[1]).empty() && !m.leaves(results[1]);
        const auto backward = backward_of(m, i);
        // Replace both passes or none, because our saved sums have another layout.
        if (!alone && !backward) continue;
        const auto q = m.argument(i, 0);
        const auto k = m.argument(i, 1);
        const auto v = m.argument(i, 2);
        const double scale = 1.0 / std::sqrt(static_cast<double>(m.value(q).size(3)));
        m.replace(i, make_call("esper::causal_attention", {q, k, v, scale}, results));
        if (!backward) continue;
        const auto gradient = m.argument(backward->call, 0);
        const auto stacked = m.call(backward->stack).results[0];
        m.remove(backward->stack);
        m.replace(backward->call,
                  make_call("esper::causal_attention_backward",
                            {gradient, q, k, v, results[0], results[1], scale}, {stacked}));
        drop_reordering(m, stacked);
    }
}

}  // namespace esper::graph
