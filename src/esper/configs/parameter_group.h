#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace esper::configs {

/// Parameters that the optimizer moves otherwise than the rest: `blocks.*.ln1.* rate=0.1
/// weight_decay=0`. The pattern is glob_match's: `*` stops at a dot, `**` does not.
struct ParameterGroup {
    std::string pattern;
    double rate = 1;                     ///< relative to the learning rate; 0: stays as it is
    std::optional<double> weight_decay;  ///< in place of optimization.weight_decay

    /// Nothing for a text that is none: without a pattern, with another word than rate and
    /// weight_decay, with one twice, with neither, or with a number below 0.
    static std::optional<ParameterGroup> parse(std::string_view text);
};

}  // namespace esper::configs
