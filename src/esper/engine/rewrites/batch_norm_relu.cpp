#include <map>

#include "esper/engine/rewrites/matcher.h"

namespace esper::graph {

namespace {

constexpr auto kNone = OpCall::kNoSlot;

bool is_float(const at::Tensor& t) { return t.scalar_type() == at::kFloat; }

// Whether the kernels need no partial vectors, for any vector width.
bool fits(const at::Tensor& x) {
    const bool type = is_float(x) || x.scalar_type() == at::kBFloat16;
    return type && x.dim() == 4 && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
           (x.size(1) % 16 == 0 || 16 % x.size(1) == 0);
}

bool same_layout(const at::Tensor& a, const at::Tensor& b) {
    return a.sizes() == b.sizes() && a.strides() == b.strides() &&
           a.scalar_type() == b.scalar_type();
}

/// A forward call that was replaced, by the slot of the batch's mean.
struct Forward {
    std::uint32_t weight = kNone;
    std::uint32_t bias = kNone;
    std::uint32_t output = kNone;
    bool from_input = false;  ///< ReLU's mask can be computed from x, since nothing was added
};
using Forwards = std::map<std::uint32_t, Forward>;

void fuse_forward(Matcher& m, std::size_t i, Forwards& done) {
    std::uint32_t slots[5];
    for (std::uint32_t p = 0; p < 5; ++p) {
        slots[p] = m.argument(i, p);
        if (slots[p] == kNone || !m.has_value(slots[p])) return;
        if (p > 0 && !is_float(m.value(slots[p]))) return;
    }
    if (!m.constant(i, 5).toBool() || !fits(m.value(slots[0]))) return;
    const auto results = m.call(i).results;
    auto place = i;
    auto y = results[0];
    std::uint32_t other = kNone;
    bool relu = false;
    if (auto reader = m.only_reader(y)) {
        if (m.is(*reader, "aten::relu")) {
            place = *reader;
            relu = true;
        } else if (m.is(*reader, "aten::add.Tensor")) {
            const auto left = m.argument(*reader, 0);
            const auto right = m.argument(*reader, 1);
            const auto summand = left == y ? right : left;
            const auto sum = m.call(*reader).results[0];
            const auto next = m.only_reader(sum);
            const auto& alpha = m.constant(*reader, 2);
            if (summand != kNone && summand != y && next && m.is(*next, "aten::relu") &&
                alpha.isInt() && alpha.toInt() == 1 &&
                same_layout(m.value(summand), m.value(slots[0]))) {
                other = summand;
                place = *next;
                relu = true;
                m.remove(*reader);
            }
        }
    }
    const auto momentum = m.constant(i, 6);
    const auto epsilon = m.constant(i, 7);
    if (place != i) {
        y = m.call(place).results[0];
        m.remove(i);
    }
    m.replace(place, make_call("esper::batch_norm_relu",
                               {slots[0], other, slots[1], slots[2], slots[3], slots[4], momentum,
                                epsilon, relu},
                               {y, results[1], results[2]}));
    done[results[1]] = {slots[1], slots[2], y, relu && other == kNone};
}

void fuse_backward(Matcher& m, std::size_t i, const Forwards& forwards) {
    const auto mean = m.argument(i, 5);
    auto forward = forwards.find(mean);
    if (forward == forwards.end()) return;
    auto gradient = m.argument(i, 0);
    const auto x = m.argument(i, 1);
    const auto inverse = m.argument(i, 6);
    const auto results = m.call(i).results;
    if (results[0] == kNone) return;
    if (m.value(gradient).scalar_type() != m.value(x).scalar_type()) return;
    bool relu = false;
    bool keep = false;
    std::uint32_t output = kNone;
    std::uint32_t masked = kNone;
    const auto threshold = m.maker(gradient, "aten::threshold_backward");
    if (threshold && !m.leaves(gradient) && m.readers(gradient).front() == i) {
        const auto passed = m.argument(*threshold, 1);
        const auto incoming = m.argument(*threshold, 0);
        const auto& bound = m.constant(*threshold, 2);
        const bool zero = bound.isInt() ? bound.toInt() == 0 : bound.toDouble() == 0;
        if (zero && same_layout(m.value(passed), m.value(x)) &&
            m.value(incoming).scalar_type() == m.value(x).scalar_type()) {
            relu = true;
            keep = m.readers(gradient).size() > 1;
            if (keep) masked = gradient;
            if (!(forward->second.from_input && forward->second.output == passed)) output = passed;
            m.remove(*threshold);
            gradient = incoming;
        }
    }
    m.replace(i, make_call("esper::batch_norm_relu_backward",
                           {gradient, output, x, forward->second.weight, forward->second.bias, mean,
                            inverse, relu, keep},
                           {results[0], masked, results[1], results[2]}));
}

}  // namespace

void fuse_batch_norm_relu(RecordedList& list, const RecordedValues& values) {
    Matcher m(list, values);
    Forwards forwards;
    for (std::size_t i = 0; i < m.size(); ++i)
        if (m.is(i, "aten::native_batch_norm")) fuse_forward(m, i, forwards);
    for (std::size_t i = 0; i < m.size(); ++i)
        if (m.is(i, "aten::native_batch_norm_backward")) fuse_backward(m, i, forwards);
}

}  // namespace esper::graph
