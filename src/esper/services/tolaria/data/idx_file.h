#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

/// An array of bytes in IDX, the layout of MNIST (LeCun, yann.lecun.com/exdb/mnist): two zeros, the
/// type, the number of dimensions, each size as 32 bits big-endian, the elements.
struct IdxArray {
    std::vector<std::uint64_t> shape;
    std::string_view bytes;  ///< a slice of the file
};

/// Errors: kUnsupportedFormat for elements that are no bytes; kCorrupt; kTruncated where the sizes
/// say more than the file holds.
Result<IdxArray> parse_idx(std::string_view file);

}  // namespace esper::tolaria
