#include "esper/configs/image_size.h"

#include <fmt/format.h>

#include "esper/configs/numbers.h"

namespace esper::configs {

std::optional<ImageSize> ImageSize::parse(std::string_view text) {
    ImageSize size;
    const auto at = text.find('@');
    if (!read_number(text.substr(0, at), size.pixels) || size.pixels < 1 || size.pixels > 4096)
        return std::nullopt;
    if (at == std::string_view::npos) return size;
    auto share = text.substr(at + 1);
    double percent = 0;
    if (!share.ends_with('%')) return std::nullopt;
    share.remove_suffix(1);
    if (!read_number(share, percent) || !(percent >= 0 && percent < 100)) return std::nullopt;
    size.from = percent / 100;
    return size;
}

std::vector<ImageSize> image_sizes(std::span<const std::string> texts) {
    std::vector<ImageSize> sizes;
    for (const auto& text : texts) sizes.push_back(ImageSize::parse(text).value_or(ImageSize{}));
    return sizes;
}

std::string problem_of_sizes(std::span<const ImageSize> sizes) {
    if (sizes.empty()) return "";
    if (sizes.front().from > 0)
        return fmt::format(
            "nothing says what holds before {:g} % of the run; put the first size "
            "without a share in front",
            100 * sizes.front().from);
    for (std::size_t i = 1; i < sizes.size(); ++i) {
        const auto& before = sizes[i - 1];
        const auto& here = sizes[i];
        if (here.from <= before.from)
            return fmt::format(
                "{}@{:g}% stands after {}@{:g}%; give each size a later share of "
                "the run than the one before it",
                here.pixels, 100 * here.from, before.pixels, 100 * before.from);
        if (here.pixels <= before.pixels)
            return fmt::format(
                "images grow, and {} pixels come after {}; give larger and larger "
                "sizes",
                here.pixels, before.pixels);
    }
    return "";
}

}  // namespace esper::configs
