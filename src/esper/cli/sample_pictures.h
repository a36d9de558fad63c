#pragma once

#include <filesystem>
#include <string>

#include "esper/services/tolaria/data/dataset.h"

namespace esper::cli {

/// The first training images, side by side, as lines for a terminal: in colours (two pixels a
/// character) or as characters that are the denser the brighter a pixel is.
Result<std::string> draw_samples(const tolaria::Dataset& images, bool colours, int columns);

/// Up to 64 training images in rows of eight as a PNG file.
Status write_samples(const tolaria::Dataset& images, const std::filesystem::path& path);

}  // namespace esper::cli
