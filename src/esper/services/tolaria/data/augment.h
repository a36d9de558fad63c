#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "esper/base/random.h"
#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// The random changes of a training image. Dataset::fill applies them only with a Variation.
struct Augmentation {
    /// Mirror left to right, with probability ½.
    bool flip = true;
    /// Largest shift in pixels in each direction; the uncovered pixels get the mean colour.
    std::uint32_t shift = 4;
    /// Side of a square that is filled with the mean colour (DeVries & Taylor 2017); 0: none.
    std::uint32_t cutout = 0;
    /// Probability of Random Erasing (Zhong et al. 2020): a rectangle of 2 to 33 % of the image, of
    /// sides between 1:3.3 and 3.3:1, gets the mean colour.
    double erasing = 0;
    /// Operations of RandAugment (rand_augment.h) before all others; 0: none.
    int operations = 0;
    int magnitude = 9;
};

/// A part of an image: [left, left + width) × [top, top + height).
struct Rectangle {
    int left = 0;
    int top = 0;
    int width = 0;
    int height = 0;
};

/// One draw of the augmentation: the image is shifted by (right, down), then mirrored, then cut.
struct Placement {
    bool flip = false;
    int right = 0;
    int down = 0;
    /// The square [cut_top, cut_top + cut) × [cut_left, cut_left + cut), clipped to the image.
    int cut_left = 0;
    int cut_top = 0;
    int cut = 0;
    Rectangle erased = {};
};

/// A pure function of (variation, example).
Placement draw_placement(const Augmentation& augmentation, const Variation& variation,
                         std::uint32_t example, int width, int height);

/// The rectangle that is erased, as torchvision's RandomErasing draws it; of no size where it is
/// not this image's turn, or where ten draws did not fit.
Rectangle draw_erased(double probability, RandomStream& stream, int width, int height);

/// Byte pixel → normalised float, per channel: (value/255 - mean) / deviation.
class Normalisation {
  public:
    Normalisation() = default;
    Normalisation(const std::vector<double>& mean, const std::vector<double>& deviation);
    const float* table(std::size_t channel) const { return tables_[channel].data(); }

  private:
    std::vector<std::array<float, 256>> tables_;
};

/// Writes one planar byte image {channels, height, width} as normalised floats.
void place_image(const std::uint8_t* planes, int channels, int height, int width,
                 const Placement& placement, const Normalisation& normalisation, ImageLayout layout,
                 float* out);

}  // namespace esper::tolaria
