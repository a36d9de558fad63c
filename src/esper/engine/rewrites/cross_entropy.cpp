#include <tuple>

#include "esper/engine/rewrites/matcher.h"

namespace esper::graph {

namespace {

constexpr std::int64_t kMean = 1;
constexpr std::int64_t kIgnored = -100;

bool plain_mean(Matcher& m, std::size_t call, std::uint32_t weight, std::uint32_t reduction) {
    return m.argument(call, weight) == OpCall::kNoSlot &&
           m.constant(call, reduction).toInt() == kMean &&
           m.constant(call, reduction + 1).toInt() == kIgnored;
}

}  // namespace

void fuse_cross_entropy(RecordedList& list, const RecordedValues& values) {
    Matcher m(list, values);
    for (std::size_t i = 0; i < m.size(); ++i) {
        if (!m.is(i, "aten::_log_softmax")) continue;
        const auto logits = m.argument(i, 0);
        const auto logs = m.call(i).results[0];
        const auto& x = m.value(logits);
        if (x.dim() != 2 || x.scalar_type() != at::kFloat || m.leaves(logs)) continue;
        const auto readers = m.readers(logs);
        if (readers.size() != 3) continue;
        const auto [forward, loss_back, softmax_back] =
            std::tuple(readers[0], readers[1], readers[2]);
        if (!m.is(forward, "aten::nll_loss_forward") ||
            !m.is(loss_back, "aten::nll_loss_backward") ||
            !m.is(softmax_back, "aten::_log_softmax_backward_data"))
            continue;
        const auto target = m.argument(forward, 1);
        const auto seed = list.persistent.find(m.argument(loss_back, 0));
        const bool starts_here = seed != list.persistent.end() && seed->second.numel() == 1 &&
                                 seed->second.scalar_type() == at::kFloat &&
                                 *seed->second.const_data_ptr<float>() == 1.0F;
        if (!starts_here || m.argument(loss_back, 2) != target || !plain_mean(m, forward, 2, 3) ||
            !plain_mean(m, loss_back, 3, 4) ||
            m.argument(softmax_back, 0) != m.call(loss_back).results[0] ||
            m.only_reader(m.call(loss_back).results[0]) != softmax_back)
            continue;
        const auto loss = m.call(forward).results[0];
        const auto gradient = m.call(softmax_back).results[0];
        for (auto call : {i, loss_back, softmax_back}) m.remove(call);
        m.replace(forward, make_call("esper::cross_entropy", {logits, target}, {loss, gradient}));
    }
}

void replace_gelu(RecordedList& list, const RecordedValues& values) {
    Matcher m(list, values);
    const auto fits = [&](std::uint32_t slot) {
        const auto& t = m.value(slot);
        return t.is_contiguous() &&
               (t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16);
    };
    for (std::size_t i = 0; i < m.size(); ++i) {
        const bool forward = m.is(i, "aten::gelu");
        if (!forward && !m.is(i, "aten::gelu_backward")) continue;
        const auto& form = m.constant(i, forward ? 1 : 2);
        const auto x = m.argument(i, forward ? 0 : 1);
        if (!form.isString() || form.toStringRef() != "tanh" || !fits(x)) continue;
        const auto results = m.call(i).results;
        if (forward) {
            m.replace(i, make_call("esper::gelu_tanh", {x}, results));
            continue;
        }
        const auto gradient = m.argument(i, 0);
        if (m.value(gradient).scalar_type() != m.value(x).scalar_type()) continue;
        m.replace(i, make_call("esper::gelu_tanh_backward", {gradient, x}, results));
    }
}

}  // namespace esper::graph
