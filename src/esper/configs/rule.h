#pragma once

#include <limits>
#include <string_view>

namespace esper::configs {

/// The form of a text.
enum class TextForm : int {
    kAny,       ///< any text without control characters, also empty
    kNotEmpty,  ///< at least one character
    kFileName,  ///< name of one file or folder: letters, digits, `_`, `-`, `.`; no leading dot
    kGlob,      ///< an anchor pattern: letters, digits, `_`, `-`, `.`, `*`, `?`
    kUrl,       ///< scheme://host…, or empty if the key may be unset
    kBudget,    ///< FLOPs or a time on the clock, or empty if the key may be unset
    kParameterGroup,  ///< a ParameterGroup
    kImageSize,       ///< an ImageSize
};

/// The kind of duration that a key accepts.
enum class TimeKind : int { kAny, kProgress, kEpochs, kClock };

/// Restrictions on a key's value in addition to its type.
struct Rule {
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    bool low_open = false;   ///< the value `low` is refused
    bool high_open = false;  ///< the value `high` is refused
    TextForm text = TextForm::kAny;
    TimeKind time = TimeKind::kAny;
    /// Common environment variables for this key (e.g. REDIS_URL), separated by blanks; the first
    /// that is set counts.
    std::string_view environment = {};

    constexpr Rule from_environment(std::string_view names) const {
        Rule copy = *this;
        copy.environment = names;
        return copy;
    }
    constexpr bool admits(double value) const {
        return (low_open ? value > low : value >= low) &&
               (high_open ? value < high : value <= high);
    }
};

/// Rules for the lists of keys.
namespace rule {
constexpr Rule any() { return {}; }
constexpr Rule at_least(double low) { return {.low = low}; }
constexpr Rule above(double low) { return {.low = low, .low_open = true}; }
constexpr Rule within(double low, double high) { return {.low = low, .high = high}; }
/// From low (excluded) to high (included).
constexpr Rule above_up_to(double low, double high) {
    return {.low = low, .high = high, .low_open = true};
}
/// From low (included) to high (excluded).
constexpr Rule below(double low, double high) {
    return {.low = low, .high = high, .high_open = true};
}
constexpr Rule inside(double low, double high) {
    return {.low = low, .high = high, .low_open = true, .high_open = true};
}
constexpr Rule text(TextForm form) { return {.text = form}; }
constexpr Rule time(TimeKind kind) { return {.low = 0, .time = kind}; }
/// A duration above zero.
constexpr Rule some_time(TimeKind kind) { return {.low = 0, .low_open = true, .time = kind}; }
constexpr Rule port() { return {.low = 1, .high = 65535}; }
}  // namespace rule

}  // namespace esper::configs
