#include "esper/services/tolaria/data/numpy_array.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "esper/services/tolaria/data/data_bytes.h"

namespace esper::tolaria {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMostDimensions = 8;

tl::unexpected<Error> corrupt(const std::string& why) {
    return fail(DataError::kCorrupt, "not a whole NumPy array: " + why);
}

template <typename T>
T load(std::string_view bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    return value;
}

// The text behind `'key':` in the head, a Python dictionary; it is only searched, never run.
std::string_view value_of(std::string_view head, std::string_view key) {
    const auto at = head.find(key);
    if (at == std::string_view::npos) return {};
    auto rest = head.substr(at + key.size());
    const auto colon = rest.find(':');
    if (colon == std::string_view::npos) return {};
    rest.remove_prefix(colon + 1);
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    return rest;
}

std::optional<std::vector<std::uint64_t>> read_shape(std::string_view text) {
    const auto end = text.find(')');
    if (!text.starts_with('(') || end == std::string_view::npos) return std::nullopt;
    text = text.substr(1, end - 1);
    std::vector<std::uint64_t> shape;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(" ,"), text.size()));
        if (text.empty()) return shape;
        std::uint64_t size = 0;
        const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), size);
        if (error != std::errc() || shape.size() == kMostDimensions) return std::nullopt;
        shape.push_back(size);
        text.remove_prefix(static_cast<std::size_t>(at - text.data()));
    }
}

// IEEE 754 half precision.
double half(std::uint16_t bits) {
    const int exponent = bits >> 10 & 31;
    const int fraction = bits & 1023;
    double value = 0;
    if (exponent == 0)
        value = std::ldexp(fraction, -24);
    else if (exponent < 31)
        value = std::ldexp(1024 + fraction, exponent - 25);
    else
        value = fraction == 0 ? HUGE_VAL : std::nan("");
    return (bits & 0x8000) != 0 ? -value : value;
}

}  // namespace

Result<NumpyArray> NumpyArray::parse(std::shared_ptr<const std::string> file) {
    const std::string_view bytes(*file);
    if (bytes.size() < 12 || !bytes.starts_with(kMagic))
        return corrupt("it does not begin with NumPy's mark");
    const auto version = static_cast<unsigned char>(bytes[6]);
    if (version < 1 || version > 3) return corrupt(fmt::format("format {} is unknown", version));
    const std::size_t start = version == 1 ? 10 : 12;
    const std::size_t length =
        version == 1 ? load<std::uint16_t>(bytes, 8) : load<std::uint32_t>(bytes, 8);
    if (length > bytes.size() - start) return corrupt("its head reaches beyond the file");
    const auto head = bytes.substr(start, length);

    NumpyArray array;
    array.begin_ = start + length;
    const auto dtype = value_of(head, "'descr'");
    if (dtype.size() < 5 || dtype[0] != '\'')
        return fail(DataError::kUnsupportedFormat,
                    "it holds records of several fields; save each field as an array of its own");
    const char order = dtype[1];
    array.kind_ = dtype[2];
    if (array.kind_ == 'O')
        return fail(DataError::kUnsupportedFormat,
                    "it holds Python objects, which are pickles and are never read; save numbers, "
                    "with .astype('float32')");
    const auto kinds = std::string_view("fiub");
    unsigned size = 0;
    std::from_chars(dtype.data() + 3, dtype.data() + dtype.size(), size);
    array.size_ = size;
    const bool is_known = kinds.find(array.kind_) != std::string_view::npos && size <= 8 &&
                          std::has_single_bit(size) && (array.kind_ != 'f' || size >= 2);
    if (!is_known)
        return fail(DataError::kUnsupportedFormat,
                    fmt::format("its elements are {}; numbers are read: save with "
                                ".astype('float32') or .astype('int64')",
                                shown_name(dtype.substr(0, dtype.find('\'', 1) + 1))));
    if (order == '>' && size > 1)
        return fail(DataError::kUnsupportedFormat,
                    "it is big-endian; save with .astype('<f4') or .astype('<i8')");
    const auto shape = read_shape(value_of(head, "'shape'"));
    if (!shape) return corrupt("its shape cannot be read");
    array.shape_ = *shape;
    if (value_of(head, "'fortran_order'").starts_with("True") && shape->size() > 1)
        return fail(DataError::kUnsupportedFormat,
                    "it is in Fortran order; save numpy.ascontiguousarray(array)");
    std::uint64_t elements = 1;
    std::uint64_t wanted = 0;
    for (const auto n : *shape)
        if (__builtin_mul_overflow(elements, n, &elements))
            return corrupt("its shape multiplies to no number");
    if (__builtin_mul_overflow(elements, std::uint64_t{size}, &wanted))
        return corrupt("its shape multiplies to no number");
    if (wanted != bytes.size() - array.begin_)
        return fail(DataError::kTruncated,
                    fmt::format("its head says {} bytes, but {} follow; save it again", wanted,
                                bytes.size() - array.begin_));
    array.elements_ = elements;
    array.file_ = std::move(file);
    return array;
}

double NumpyArray::at(std::uint64_t index) const {
    const auto bytes = values();
    const auto at = index * size_;
    if (kind_ == 'f') {
        if (size_ == 2) return half(load<std::uint16_t>(bytes, at));
        return size_ == 4 ? static_cast<double>(load<float>(bytes, at)) : load<double>(bytes, at);
    }
    const bool is_signed = kind_ == 'i';
    switch (size_) {
        case 1:
            return is_signed ? load<std::int8_t>(bytes, at) : load<std::uint8_t>(bytes, at);
        case 2:
            return is_signed ? load<std::int16_t>(bytes, at) : load<std::uint16_t>(bytes, at);
        case 4:
            return is_signed ? load<std::int32_t>(bytes, at) : load<std::uint32_t>(bytes, at);
        default:
            return is_signed ? static_cast<double>(load<std::int64_t>(bytes, at))
                             : static_cast<double>(load<std::uint64_t>(bytes, at));
    }
}

std::string NumpyArray::in_words() const {
    const char* kind = kind_ == 'f'   ? "float"
                       : kind_ == 'i' ? "int"
                       : kind_ == 'u' ? "uint"
                                      : "bool";
    return fmt::format("{}{} [{}]", kind, kind_ == 'b' ? "" : std::to_string(size_ * 8),
                       fmt::join(shape_, ", "));
}

}  // namespace esper::tolaria
