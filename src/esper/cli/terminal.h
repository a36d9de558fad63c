#pragma once

#include <string_view>

namespace esper::cli {

/// The abilities of standard error. A bar needs a terminal and no CI; colours need the same and no
/// NO_COLOR (no-color.org).
struct Terminal {
    bool bar = false;
    bool colours = false;
    int columns = 80;
    int rows = 24;

    static Terminal of_stderr();
    /// The escape sequence, or "" without colours.
    std::string_view bold() const { return colours ? "\033[1m" : ""; }
    std::string_view green() const { return colours ? "\033[32m" : ""; }
    std::string_view yellow() const { return colours ? "\033[33m" : ""; }
    std::string_view red() const { return colours ? "\033[31m" : ""; }
    std::string_view dim() const { return colours ? "\033[2m" : ""; }
    std::string_view plain() const { return colours ? "\033[0m" : ""; }
};

}  // namespace esper::cli
