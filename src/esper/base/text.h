#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace esper {

/// Edit distance with adjacent transpositions (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate with the smallest edit distance to `word`; "" when that distance exceeds
/// 1 + length/4, so that `word` is hardly a typo of it.
std::string closest_match(std::string_view word, std::span<const std::string> candidates);

/// `'x' (did you mean 'y'?)`, or just `'x'`.
std::string quote_with_suggestion(std::string_view word, std::span<const std::string> candidates);

/// "a,,b" gives three parts, "" one empty part.
std::vector<std::string> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);

/// `*` matches any characters except `.`, `**` any characters, `?` one character except `.`.
bool glob_match(std::string_view pattern, std::string_view text);
/// Whether one of the patterns matches.
bool glob_match_any(std::span<const std::string> patterns, std::string_view text);

/// 12345678 → `12.3 M`; 1234 → `1.23 k`.
std::string human_count(double value);
/// 75.2 → `1m15s`; 0.012 → `12.0ms`; 7260 → `2h01m`.
std::string human_seconds(double seconds);

}  // namespace esper
