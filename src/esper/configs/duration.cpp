#include "esper/configs/duration.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "esper/configs/numbers.h"

namespace esper::configs {
namespace {

struct UnitName {
    std::string_view suffix;
    TimeUnit unit;
    double seconds;
};

constexpr std::array<UnitName, 8> kUnits{{{"ep", TimeUnit::kEpochs, 0},
                                          {"ba", TimeUnit::kBatches, 0},
                                          {"%", TimeUnit::kRunShare, 0},
                                          {"ms", TimeUnit::kMilliseconds, 1e-3},
                                          {"s", TimeUnit::kSeconds, 1},
                                          {"m", TimeUnit::kMinutes, 60},
                                          {"h", TimeUnit::kHours, 3600},
                                          {"d", TimeUnit::kDays, 86400}}};

/// Rounds, and limits the result to a number that a double represents exactly.
std::int64_t whole_steps(double steps) { return std::llround(std::clamp(steps, 0.0, 9e15)); }

}  // namespace

std::optional<Duration> Duration::parse(std::string_view text) {
    const auto split = text.find_first_not_of("0123456789.");
    if (split == std::string_view::npos) return std::nullopt;
    double value = 0;
    if (!read_number(text.substr(0, split), value)) return std::nullopt;
    for (const UnitName& name : kUnits) {
        if (text.substr(split) == name.suffix) return Duration{value, name.unit};
    }
    return std::nullopt;
}

std::string Duration::to_string() const {
    // Never in exponent form, which `parse` refuses.
    std::array<char, 400> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                   std::chars_format::fixed);
    std::string text(buffer.data(), end.ptr);
    text += kUnits[static_cast<std::size_t>(unit)].suffix;
    return text;
}

std::optional<std::int64_t> Duration::steps(std::int64_t steps_per_epoch,
                                            std::int64_t run_steps) const {
    switch (unit) {
        case TimeUnit::kEpochs:
            return whole_steps(value * static_cast<double>(steps_per_epoch));
        case TimeUnit::kBatches:
            return whole_steps(value);
        case TimeUnit::kRunShare:
            return whole_steps(value / 100 * static_cast<double>(run_steps));
        default:
            return std::nullopt;
    }
}

std::optional<double> Duration::in_seconds() const {
    if (is_progress()) return std::nullopt;
    return value * kUnits[static_cast<std::size_t>(unit)].seconds;
}

}  // namespace esper::configs
