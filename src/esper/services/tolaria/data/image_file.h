#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

/// What the head of a JPEG or PNG file says.
struct ImageHead {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    bool grey = false;
};

/// Reads the head; nothing is asked of memory for the pixels. Errors: kCorrupt for bytes that are
/// neither JPEG nor PNG, and for a size that the bytes cannot hold; kTooLarge above 64 megapixels.
Result<ImageHead> read_image_head(std::string_view bytes);

/// Decodes the image, cuts out the square in its middle and scales that to `side` pixels: planar
/// bytes {channels, side, side}, with 3 channels (RGB) or 1 (grey). Where it becomes smaller, a
/// pixel is the mean of the area that it covers, else it is interpolated. Errors: those of the
/// head; kCorrupt for an image that cannot be decoded whole.
Result<std::vector<std::uint8_t>> read_square_image(std::string_view bytes, std::uint32_t side,
                                                    std::uint32_t channels);

/// Writes interleaved bytes {height, width, 3} as a PNG file.
Status write_png(const std::filesystem::path& path, std::uint32_t width, std::uint32_t height,
                 const std::vector<std::uint8_t>& rgb);

}  // namespace esper::tolaria
