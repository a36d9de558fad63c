#include <ATen/core/LegacyTypeDispatch.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "esper/base/clock.h"
#include "esper/engine/joint/joint_impl.h"

namespace esper::graph {

std::size_t JointProgram::operator_count() const { return impl_->ops.calls.size(); }

std::vector<std::pair<std::string, std::size_t>> JointProgram::operator_histogram() const {
    std::map<std::string, std::size_t> counts;
    for (const auto& call : impl_->ops.calls) ++counts[call.label];
    return {counts.begin(), counts.end()};
}

namespace {

std::string slot_name(std::uint32_t slot) {
    return slot == OpCall::kNoSlot ? "_" : fmt::format("%{}", slot);
}

std::string constant_text(const c10::IValue& value) {
    if (value.isTensor()) return value.toTensor().defined() ? "gradient" : "-";
    if (value.isNone()) return "-";
    if (value.isInt()) return fmt::format("{}", value.toInt());
    if (value.isDouble()) return fmt::format("{}", value.toDouble());
    if (value.isBool()) return value.toBool() ? "true" : "false";
    if (value.isString()) return value.toStringRef();
    if (value.isIntList()) return fmt::format("[{}]", fmt::join(value.toIntVector(), ", "));
    return value.tagKind();
}

std::string call_text(const OpCall& call) {
    std::vector<std::string> words;
    for (const auto& constant : call.stack) words.push_back(constant_text(constant));
    for (const auto& a : call.slot_arguments) words[a.position] = slot_name(a.slot);
    for (const auto& l : call.list_arguments) {
        std::vector<std::string> names;
        for (auto slot : l.slots) names.push_back(slot_name(slot));
        words[l.position] = fmt::format("[{}]", fmt::join(names, ", "));
    }
    std::vector<std::string> results;
    for (auto slot : call.results) results.push_back(slot_name(slot));
    return fmt::format("{} = {}({})", fmt::join(results, ", "), call.label, fmt::join(words, ", "));
}

/// Operator and the shape of its largest tensor argument.
std::string kind_of(const OpCall& call, const std::vector<c10::IValue>& slots) {
    at::Tensor largest;
    for (const auto& a : call.slot_arguments) {
        if (!slots[a.slot].isTensor()) continue;
        const auto& t = slots[a.slot].toTensor();
        if (t.defined() && (!largest.defined() || t.numel() > largest.numel())) largest = t;
    }
    if (!largest.defined()) return call.label;
    return fmt::format("{} {}[{}]", call.label, c10::toString(largest.scalar_type()),
                       fmt::join(largest.sizes(), ", "));
}

}  // namespace

std::string JointProgram::listing() const {
    std::string text;
    for (const auto& call : impl_->ops.calls) text += call_text(call) + "\n";
    return text;
}

std::string JointProgram::profile(std::span<const at::Tensor> inputs, int runs) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto& m = *impl_;
    const auto n = m.ops.calls.size();
    std::vector<std::string> kinds(n);
    std::vector<std::vector<double>> times(n);
    for (int run = 0; run <= runs; ++run) {
        if (auto placed = m.place(inputs); !placed) throw EsperException(placed.error());
        std::int64_t start = 0;
        auto status = m.ops.run_watched(m.slots, [&](std::size_t i) {
            const auto now = system_clock().now_ns();
            // The first run warms up and names the calls.
            if (run == 0 && i < n) kinds[i] = kind_of(m.ops.calls[i], m.slots);
            if (run > 0 && i > 0) times[i - 1].push_back(static_cast<double>(now - start) * 1e-3);
            start = run == 0 ? now : system_clock().now_ns();
        });
        if (!status) throw EsperException(status.error());
    }
    struct Line {
        double us = 0;
        int calls = 0;
    };
    std::map<std::string, Line> lines;
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) {
        auto& t = times[i];
        const auto middle = t.begin() + static_cast<std::ptrdiff_t>(t.size() / 2);
        std::nth_element(t.begin(), middle, t.end());
        lines[kinds[i]].us += *middle;
        ++lines[kinds[i]].calls;
        total += *middle;
    }
    std::vector<std::pair<std::string, Line>> sorted(lines.begin(), lines.end());
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.second.us > b.second.us; });
    std::string text = fmt::format("{:>10.1f} us in {} calls\n", total, n);
    for (const auto& [kind, line] : sorted)
        text += fmt::format("{:>10.1f} {:>4.1f} % {:>4}x {}\n", line.us, 100 * line.us / total,
                            line.calls, kind);
    return text;
}

}  // namespace esper::graph
