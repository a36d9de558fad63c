#include "esper/services/urabrask/tags.h"

#include <algorithm>

#include "esper/services/urabrask/gauntlet.h"

namespace esper::urabrask {

namespace {

constexpr double kFastest = 0.2;
constexpr double kSlowest = 0.7;
constexpr double kQuarter = 0.25;
constexpr double kHighSpeed = 2;
constexpr double kHighMemory = 1;
constexpr double kLowMemory = 0.5;
constexpr double kStable = 0.5;

double share_above(const std::vector<double>& others, double value) {
    const auto above = std::ranges::count_if(others, [&](double other) { return other > value; });
    return static_cast<double>(above) / static_cast<double>(others.size());
}
double share_below(const std::vector<double>& others, double value) {
    const auto below = std::ranges::count_if(others, [&](double other) { return other < value; });
    return static_cast<double>(below) / static_cast<double>(others.size());
}

std::string speed_tag(double speed, const std::vector<double>& others) {
    if (others.size() < kFewestForPercentiles)
        return speed >= kHighSpeed              ? "high_speed"
               : speed > ShapeSpeed::kLeastGain ? "medium_speed"
                                                : "low_speed";
    const double faster = share_above(others, speed);
    return faster < kFastest ? "high_speed" : faster < kSlowest ? "medium_speed" : "low_speed";
}

std::string memory_tag(double ratio, const std::vector<double>& others) {
    if (others.size() < kFewestForPercentiles)
        return ratio > kHighMemory ? "high_memory" : ratio <= kLowMemory ? "low_memory" : "";
    if (share_above(others, ratio) < kQuarter) return "high_memory";
    return share_below(others, ratio) < kQuarter ? "low_memory" : "";
}

}  // namespace

std::vector<std::string> tags_of(const TagFigures& kernel, const TagPopulation& others) {
    std::vector<std::string> tags;
    if (kernel.speed > 0) tags.push_back(speed_tag(kernel.speed, others.speeds));
    if (kernel.memory_ratio > 0)
        if (auto tag = memory_tag(kernel.memory_ratio, others.memory_ratios); !tag.empty())
            tags.push_back(std::move(tag));
    if (kernel.error_share > 0 && kernel.error_share <= kStable)
        tags.emplace_back("numerically_stable");
    return tags;
}

}  // namespace esper::urabrask
