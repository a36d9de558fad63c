#include "esper/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace esper {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    // Three rows suffice: a transposition looks two rows back.
    std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before_last.swap(last);
        last.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

std::string closest_match(std::string_view word, std::span<const std::string> candidates) {
    std::size_t nearest = 2 + word.size() / 4;
    std::string best;
    for (const std::string& candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < nearest) {
            nearest = distance;
            best = candidate;
        }
    }
    return best;
}

std::string quote_with_suggestion(std::string_view word, std::span<const std::string> candidates) {
    const std::string best = closest_match(word, candidates);
    if (best.empty()) return fmt::format("'{}'", word);
    return fmt::format("'{}' (did you mean '{}'?)", word, best);
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
    return fmt::format("{}", fmt::join(parts, separator));
}

bool glob_match(std::string_view pattern, std::string_view text) {
    if (pattern == "**") return true;  // the usual one for many names
    // matches[j]: the pattern read so far matches the first j characters. For any pattern the time
    // is at most proportional to the product of the lengths.
    std::vector<char> matches(text.size() + 1, 0);
    matches[0] = 1;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char c = pattern[i];
        if (c == '*') {
            const bool any = i + 1 < pattern.size() && pattern[i + 1] == '*';
            if (any) ++i;
            for (std::size_t j = 1; j <= text.size(); ++j) {
                if (matches[j - 1] && (any || text[j - 1] != '.')) matches[j] = 1;
            }
            continue;
        }
        for (std::size_t j = text.size(); j > 0; --j) {
            const bool same = c == '?' ? text[j - 1] != '.' : text[j - 1] == c;
            matches[j] = matches[j - 1] && same;
        }
        matches[0] = 0;
    }
    return matches[text.size()] != 0;
}

bool glob_match_any(std::span<const std::string> patterns, std::string_view text) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& p) { return glob_match(p, text); });
}

std::string human_count(double value) {
    static constexpr std::array<std::string_view, 7> kUnits = {"",   " k", " M", " G",
                                                               " T", " P", " E"};
    if (!std::isfinite(value)) return fmt::format("{}", value);
    std::size_t unit = 0;
    // 999.5 would print as 1000 with three digits, so it already belongs to the next unit.
    while (std::abs(value) >= 999.5 && unit + 1 < kUnits.size()) {
        value /= 1000;
        ++unit;
    }
    if (unit == 0) return fmt::format("{:.3g}", value);
    const double size = std::abs(value);
    const int digits = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
    return fmt::format("{:.{}f}{}", value, digits, kUnits[unit]);
}

std::string human_seconds(double seconds) {
    if (!std::isfinite(seconds)) return fmt::format("{}s", seconds);
    if (seconds < 0) return "-" + human_seconds(-seconds);
    if (seconds == 0) return "0s";
    if (seconds < 0.9995e-3) return fmt::format("{:.3g}us", seconds * 1e6);
    if (seconds < 0.9995) return fmt::format("{:.1f}ms", seconds * 1e3);
    if (seconds < 59.95) return fmt::format("{:.1f}s", seconds);
    const double whole = std::round(seconds);
    const double days = std::floor(whole / 86400);
    const int hours = static_cast<int>(std::fmod(whole, 86400)) / 3600;
    const int minutes = static_cast<int>(std::fmod(whole, 3600)) / 60;
    if (days > 0) return fmt::format("{:.0f}d{:02}h", days, hours);
    if (hours > 0) return fmt::format("{}h{:02}m", hours, minutes);
    return fmt::format("{}m{:02}s", minutes, static_cast<int>(std::fmod(whole, 60)));
}

}  // namespace esper
