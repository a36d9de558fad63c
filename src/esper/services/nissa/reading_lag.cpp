#include "esper/services/nissa/reading_lag.h"

#include <algorithm>

namespace esper::nissa {

namespace {

constexpr std::int64_t kMinuteNs = std::int64_t{60} * 1'000'000'000;

}  // namespace

void ReadingLag::looked(std::int64_t now_ns, std::optional<std::int64_t> waited_ns) {
    knows_ = last_ns_.has_value();
    const auto since = now_ns - last_ns_.value_or(now_ns);
    last_ns_ = now_ns;
    while (!longest_.empty() && now_ns - longest_.front().at_ns > kMinuteNs) longest_.pop_front();
    if (!waited_ns || !knows_) return;
    const auto waited = std::clamp<std::int64_t>(*waited_ns, 0, since);
    while (!longest_.empty() && longest_.back().waited_ns <= waited) longest_.pop_back();
    longest_.push_back({now_ns, waited});
}

std::optional<double> ReadingLag::seconds() const {
    if (!knows_) return std::nullopt;
    return longest_.empty() ? 0 : static_cast<double>(longest_.front().waited_ns) * 1e-9;
}

}  // namespace esper::nissa
