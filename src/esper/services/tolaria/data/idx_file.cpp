#include "esper/services/tolaria/data/idx_file.h"

#include <fmt/format.h>

namespace esper::tolaria {

Result<IdxArray> parse_idx(std::string_view file) {
    constexpr unsigned char kBytes = 8;
    constexpr std::size_t kMostDimensions = 4;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(file[at]); };
    if (file.size() < 4 || byte(0) != 0 || byte(1) != 0)
        return fail(DataError::kCorrupt, "the file does not begin as IDX does, with two zeros");
    if (byte(2) != kBytes)
        return fail(
            DataError::kUnsupportedFormat,
            fmt::format("its elements are of IDX type {}; bytes (type 8) are read", byte(2)));
    const std::size_t dimensions = byte(3);
    if (dimensions < 1 || dimensions > kMostDimensions || file.size() < 4 + 4 * dimensions)
        return fail(DataError::kCorrupt,
                    fmt::format("its head says {} dimensions; expected 1 to {} and their sizes",
                                dimensions, kMostDimensions));
    IdxArray array;
    std::uint64_t elements = 1;
    for (std::size_t d = 0; d < dimensions; ++d) {
        std::uint64_t size = 0;
        for (std::size_t i = 0; i < 4; ++i) size = size << 8 | byte(4 + 4 * d + i);
        array.shape.push_back(size);
        if (__builtin_mul_overflow(elements, size, &elements))
            return fail(DataError::kCorrupt, "the sizes in its head multiply to no number");
    }
    array.bytes = file.substr(4 + 4 * dimensions);
    if (array.bytes.size() != elements)
        return fail(DataError::kTruncated,
                    fmt::format("its head says {} bytes, but {} follow; copy or download it again",
                                elements, array.bytes.size()));
    return array;
}

}  // namespace esper::tolaria
