#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "esper/engine/joint/branch_recording.h"
#include "esper/services/tezzeret/tezzeret_errors.h"

namespace esper::tezzeret {

using graph::BranchRecording;

/// A value of a branch's joint graph by its shape, where rows are tokens, examples or the pixels of
/// images. A kernel works on a tile of rows; the tile of images is one image.
enum class Kind : std::uint8_t {
    kScalar,
    kVector,     ///< [features]: a parameter, or computed from parameters
    kMatrix,     ///< a parameter [out, in]
    kTaps,       ///< a parameter [out, in, 3, 3] in the memory order out, 3, 3, in, or [out, 1, n]
    kRow,        ///< [rows, 1]
    kImage,      ///< [features] for each image
    kRows,       ///< [rows, features]
    kVectorSum,  ///< [features], a sum over rows
    kMatrixSum,  ///< [left, right], a sum over rows of outer products
    kTapsSum,    ///< like kTaps, a sum over rows
};

enum class Op : std::uint8_t {
    kInput,      ///< x
    kGradient,   ///< g
    kParameter,  ///< number `index` of the branch
    kNumber,
    kFormula,    ///< elementwise, see `formula`
    kProduct,    ///< rows · matrix; `transposed`: the matrix as stored is [features out, in]
    kRowSum,     ///< over features
    kColumnSum,  ///< over rows
    kOuterSum,   ///< Σ over rows of leftᵀ · right
    // Of images:
    kPixelSum,        ///< over an image's pixels
    kGroupSum,        ///< over the `index` groups of neighbouring features, for each of them
    kImageProduct,    ///< matrix · vector for each image; `transposed` as in kProduct
    kImageOuterSum,   ///< Σ over images of left · rightᵀ
    kImageSum,        ///< over images
    kDepthwise,       ///< 3×3 within each feature; `transposed`: the taps in reverse order
    kDepthwiseSum,    ///< its taps' gradient from (gradient, input)
    kConvolution,     ///< 3×3; `transposed`: from the outputs back to the inputs
    kConvolutionSum,  ///< its taps' gradient from (gradient, input)
    // Of sequences:
    kCausal,     ///< within each feature, this row and those before; `transposed`: and those after
    kCausalSum,  ///< its taps' gradient from (gradient, input)
};

struct TileValue {
    Op op = Op::kNumber;
    Kind kind = Kind::kScalar;
    std::int64_t width = 1;   ///< features; of a matrix sum, the right one's
    std::int64_t height = 1;  ///< of a matrix or matrix sum
    std::int64_t taps = 0;    ///< of taps and their sum
    std::vector<std::size_t> args{};
    std::string formula{};  ///< C++ with $0, $1, … for the arguments
    double number = 0;
    std::size_t index = 0;
    bool transposed = false;
    bool needs_gradient = false;  ///< depends on g
};

/// A result of the branch: a value, or nothing where the gradient is zero.
struct TileOutput {
    static constexpr std::size_t kNothing = static_cast<std::size_t>(-1);
    std::size_t value = kNothing;
    bool transposed = false;
};

/// The joint graph of a branch in terms of rows: what the compiler writes loops for. Products,
/// sums and elementwise formulas; views and casts are gone.
struct TileGraph {
    std::vector<TileValue> values;
    std::int64_t features = 0;      ///< of x and y
    std::int64_t image_height = 0;  ///< 0: rows are no pixels
    std::int64_t image_width = 0;
    std::int64_t sequence = 0;  ///< rows of a sequence; 0: rows do not mix
    std::int64_t pixels() const { return image_height * image_width; }
    TileOutput y;
    TileOutput dx;
    std::vector<TileOutput> parameter_gradients;
    std::vector<std::int64_t> parameter_sizes;  ///< elements
};

/// Lowers a recording whose x is [rows, features], [N, T, features] or, with the features last in
/// memory, [N, features, H, W]. Error: kUnsupported, with
/// the name of the operator that no rule covers, and where a result is none that a kernel writes.
Result<TileGraph> lower_to_tiles(const BranchRecording& recording);

}  // namespace esper::tezzeret
