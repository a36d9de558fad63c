#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace esper::cli {

/// An option whose empty text would mean that it was not given, e.g. that of a variable of a script
/// that is not set.
inline const CLI::Validator kNotEmpty(
    [](const std::string& text) {
        return text.empty() ? std::string("expected a text, got an empty one") : std::string();
    },
    "", "not empty");

}  // namespace esper::cli
