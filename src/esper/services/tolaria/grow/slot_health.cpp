#include "esper/services/tolaria/grow/slot_health.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "esper/engine/kernels/telemetry_statistics.h"

namespace esper::tolaria {

namespace {

// Features innermost, in float, as the fused pass wants them; a copy only where they are not so.
at::Tensor by_feature(const at::Tensor& t) {
    const auto format =
        t.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    return t.to(at::kFloat).contiguous(format);
}

execution::ActivationSums pass_over(const at::Tensor& t, std::int64_t first, std::int64_t features,
                                    std::vector<float>* feature_max) {
    const auto dense = by_feature(t);
    const auto width = dense.dim() == 4 ? dense.size(1) : dense.size(-1);
    execution::ActivationSums sums;
    execution::add_statistics(dense.const_data_ptr<float>() + first,
                              static_cast<std::size_t>(dense.numel() / width),
                              static_cast<std::size_t>(features), static_cast<std::size_t>(width),
                              feature_max != nullptr ? feature_max->data() : nullptr, sums);
    return sums;
}

}  // namespace

void SlotHealth::add(std::size_t slot, const at::Tensor& value, const at::Tensor& gradient,
                     std::int64_t first_feature, std::int64_t features) {
    auto& s = slots_.at(slot);
    std::vector<float> largest(static_cast<std::size_t>(features),
                               -std::numeric_limits<float>::infinity());
    const auto sums = pass_over(value, first_feature, features, &largest);
    if (!std::isfinite(sums.squares)) return;
    ++s.samples;
    s.variance += sums.variance();
    s.dead += static_cast<double>(
                  std::count_if(largest.begin(), largest.end(), [](float m) { return !(m > 0); })) /
              static_cast<double>(features);
    if (!gradient.defined()) return;
    const auto g = pass_over(gradient, first_feature, features, nullptr);
    if (!std::isfinite(g.squares)) return;
    ++s.gradients;
    s.gradient_norm += std::sqrt(g.squares);
}

tamiyo::SlotSignals SlotHealth::signals(std::size_t slot) const {
    const auto& s = slots_.at(slot);
    tamiyo::SlotSignals signals;
    if (s.samples > 0) {
        signals.activation_variance = s.variance / static_cast<double>(s.samples);
        signals.dead_ratio = s.dead / static_cast<double>(s.samples);
    }
    if (s.gradients > 0) signals.gradient_norm = s.gradient_norm / static_cast<double>(s.gradients);
    return signals;
}

void SlotHealth::reset() { std::fill(slots_.begin(), slots_.end(), Sums{}); }

}  // namespace esper::tolaria
