#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace esper::configs {

/// What a run may spend: FLOPs (`3e12`) or time on the clock (`30m`); nothing where none is set.
struct Budget {
    enum class Of : int { kNothing, kFlops, kSeconds };
    double amount = 0;
    Of of = Of::kNothing;

    /// Reads a number of FLOPs above 0, or a time above 0 with its unit; an empty text is no
    /// budget. Nothing for any other text.
    static std::optional<Budget> parse(std::string_view text);
    /// The same of a value that its rule has checked already: no budget where it is none.
    static Budget of_text(std::string_view text) { return parse(text).value_or(Budget{}); }

    bool is_set() const { return of != Of::kNothing; }
    /// `3e12`, `90s`: reads back as the same budget, and is short enough to name a folder.
    std::string to_string() const;
    /// `3.00 T FLOPs`, `90 seconds`.
    std::string in_words() const;
    std::string in_words(double amount) const;

    bool operator==(const Budget&) const = default;
};

}  // namespace esper::configs
