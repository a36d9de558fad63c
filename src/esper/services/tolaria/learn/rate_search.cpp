#include "esper/services/tolaria/learn/rate_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {
namespace {

constexpr std::int64_t kFewest = 20;
constexpr double kDecay = 0.98;
constexpr double kTooHigh = 4;
constexpr std::size_t kLeftOutFirst = 10;
constexpr std::size_t kLeftOutLast = 1;

}  // namespace

Result<RateSearch> RateSearch::over(const Range& range) {
    if (!(range.from > 0) || !(range.to > range.from) || !std::isfinite(range.to))
        return fail(
            TolariaError::kUnsupported,
            fmt::format("--from and --to: expected two rates above 0, the second the higher, "
                        "got {:g} and {:g}",
                        range.from, range.to));
    if (range.steps < kFewest)
        return fail(TolariaError::kUnsupported,
                    fmt::format("--steps: expected {} or more, got {}", kFewest, range.steps));
    return RateSearch(range);
}

bool RateSearch::is_over() const {
    return has_left_ || static_cast<std::int64_t>(rates_.size()) >= range_.steps;
}

double RateSearch::next_rate() const {
    const double done = static_cast<double>(rates_.size()) / static_cast<double>(range_.steps - 1);
    return range_.from * std::pow(range_.to / range_.from, done);
}

void RateSearch::take(double loss) {
    if (!std::isfinite(loss)) {
        has_left_ = true;
        return;
    }
    rates_.push_back(next_rate());
    mean_ = kDecay * mean_ + (1 - kDecay) * loss;
    losses_.push_back(mean_ / (1 - std::pow(kDecay, static_cast<double>(losses_.size() + 1))));
    lowest_ = losses_.size() == 1 ? losses_.back() : std::min(lowest_, losses_.back());
    has_left_ = losses_.size() > 1 && losses_.back() > kTooHigh * lowest_;
}

std::optional<double> RateSearch::suggestion() const {
    if (losses_.size() < kLeftOutFirst + kLeftOutLast + 2) return std::nullopt;
    const auto begin = kLeftOutFirst;
    const auto end = losses_.size() - kLeftOutLast;
    // Differences in the middle, one-sided at the ends, as numpy.gradient.
    std::size_t steepest = begin;
    double lowest = 0;
    for (auto i = begin; i < end; ++i) {
        const auto before = i == begin ? i : i - 1;
        const auto after = i + 1 == end ? i : i + 1;
        const double slope =
            (losses_[after] - losses_[before]) / static_cast<double>(after - before);
        if (i == begin || slope < lowest) {
            steepest = i;
            lowest = slope;
        }
    }
    return rates_[steepest];
}

}  // namespace esper::tolaria
