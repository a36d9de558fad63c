#pragma once

#include <cstdint>
#include <limits>

namespace esper::contracts {

/// Shapes of text that a field may require.
enum class Format : std::uint8_t {
    kNone,
    kId,      ///< 1 to 255 bytes, no control characters, no space at either end
    kUuid,    ///< 8-4-4-4-12 lower-case hex digits
    kSha256,  ///< 64 lower-case hex digits
    kHex,     ///< an even number of lower-case hex digits
    kUri,     ///< scheme://rest
};

/// The rule of one field: bounds on its value, whether it is required, and the schema version that
/// added it. `min` and `max` bound numbers, `length` and `format` restrict texts; for optionals,
/// lists and maps they apply to each element. `items` bounds the sizes of lists and maps.
struct Rule {
    double min = -std::numeric_limits<double>::infinity();
    double max = std::numeric_limits<double>::infinity();
    std::uint32_t min_length = 0;
    std::uint32_t max_length = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t min_items = 0;
    std::uint32_t max_items = std::numeric_limits<std::uint32_t>::max();
    Format format = Format::kNone;
    std::uint16_t since_version = 1;
    bool required = false;

    constexpr Rule since(std::uint16_t version) const {
        Rule r = *this;
        r.since_version = version;
        return r;
    }
    constexpr Rule items(std::uint32_t low, std::uint32_t high) const {
        Rule r = *this;
        r.min_items = low;
        r.max_items = high;
        return r;
    }
    constexpr Rule mandatory() const {
        Rule r = *this;
        r.required = true;
        return r;
    }
};

constexpr Rule any() { return {}; }
constexpr Rule range(double low, double high) {
    Rule r;
    r.min = low;
    r.max = high;
    return r;
}
constexpr Rule at_least(double low) { return range(low, std::numeric_limits<double>::infinity()); }
constexpr Rule length(std::uint32_t low, std::uint32_t high) {
    Rule r;
    r.min_length = low;
    r.max_length = high;
    return r;
}
constexpr Rule shaped(Format format) {
    Rule r;
    r.format = format;
    return r;
}
constexpr Rule id() {
    Rule r = length(1, 255);
    r.format = Format::kId;
    return r;
}
constexpr Rule uuid() { return shaped(Format::kUuid); }
constexpr Rule sha256_hex() { return shaped(Format::kSha256); }
constexpr Rule uri() { return shaped(Format::kUri); }

}  // namespace esper::contracts
