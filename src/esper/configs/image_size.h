#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace esper::configs {

/// The side of the training images from a share of the run on: `24@30%`; `16` from its start.
struct ImageSize {
    int pixels = 0;
    double from = 0;  ///< from 0 to below 1

    /// Nothing for a text that is none: no whole number of pixels from 1 to 4096, or no share below
    /// 100 %.
    static std::optional<ImageSize> parse(std::string_view text);
};

/// The same of texts that their rule has checked already.
std::vector<ImageSize> image_sizes(std::span<const std::string> texts);

/// Why these sizes are no schedule; empty where they are one: the first holds from the start,
/// shares and sizes rise.
std::string problem_of_sizes(std::span<const ImageSize> sizes);

}  // namespace esper::configs
