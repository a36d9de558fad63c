#pragma once

#include <memory>
#include <vector>

#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// Makes images smaller: each pixel is the mean of those around its place, under a triangle as wide
/// as two of its own. The same as torch.nn.functional.interpolate(mode="bilinear",
/// antialias=True, align_corners=False), but for the last digits. Immutable.
class Downscale {
  public:
    struct Size {
        int height = 0;
        int width = 0;
    };
    Downscale(Size from, Size to, int channels, ImageLayout layout);
    /// One image of each size; they do not overlap.
    void run(const float* image, float* smaller) const;

  private:
    /// The pixels of a line that make one pixel, with their weights.
    struct Tap {
        int first = 0;
        std::vector<float> weights;
    };
    static std::vector<Tap> taps(int from, int to);
    void narrow(const float* lines, int count, int step, float* out) const;

    Size from_, to_;
    int channels_;
    bool channels_last_;
    std::vector<Tap> rows_, columns_;
};

/// A data set of images at a smaller size. What changes training images changes them at their own
/// size, before they become smaller.
class ScaledImages final : public Dataset {
  public:
    /// `side` is that of the shorter side; the longer one follows. Errors: kBadOption for data that
    /// are no images, or whose shorter side has fewer pixels.
    static Result<std::shared_ptr<const Dataset>> of(std::shared_ptr<const Dataset> images,
                                                     int side);

    const DatasetInfo& info() const override { return info_; }
    std::uint32_t size(Part part) const override { return images_->size(part); }
    Status fill(Part part, std::span<const std::uint32_t> indices,
                const std::optional<Variation>& variation, InputBuffer inputs,
                TargetBuffer targets) const override;

  private:
    ScaledImages(std::shared_ptr<const Dataset> images, DatasetInfo info);
    std::shared_ptr<const Dataset> images_;
    DatasetInfo info_;
    Downscale downscale_;
};

/// The same examples with so many pixels on their shorter side.
DatasetInfo info_at(DatasetInfo info, int side);
/// Whether the data are images: inputs {channels, height, width}.
bool are_images(const DatasetInfo& info);
/// The pixels of their shorter side.
int side_of(const DatasetInfo& info);

}  // namespace esper::tolaria
