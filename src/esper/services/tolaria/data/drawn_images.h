#pragma once

#include <array>
#include <memory>
#include <mutex>

#include "esper/services/tolaria/data/image_dataset.h"
#include "esper/services/tolaria/data/split.h"

namespace esper::tolaria {

struct DrawnOptions {
    /// Identifies the set; sets with different seeds share no example.
    std::uint64_t seed = 0;
    ImageLayout layout = ImageLayout::kChannelsLast;
    Augmentation augmentation = {};
    /// `split.train_examples` (0: 20,000) train examples, the other parts in proportion.
    Split split = {};
    /// Number of threads that draw a part at its first use; 0: one per core.
    unsigned threads = 0;
};

/// Images of 32 × 32 coloured pixels with ten silhouettes, drawn by `draw_example` (drawing.h). The
/// set needs no file and is hard enough to compare networks. A part is drawn at its first use and
/// kept.
class DrawnImages final : public ImageDataset {
  public:
    /// Error: kBadOption for bad shares or a part with no example or more than 2^30.
    static Result<std::shared_ptr<const DrawnImages>> open(const DrawnOptions& options);

    std::uint32_t size(Part part) const override { return sizes_[static_cast<std::size_t>(part)]; }
    const ImagePart& part(Part which) const override;

  private:
    explicit DrawnImages(const DrawnOptions& options);
    ImagePart draw(std::uint32_t first, std::uint32_t count) const;

    DrawnOptions options_;
    std::array<std::uint32_t, kPartCount> sizes_{};
    mutable std::array<std::once_flag, kPartCount> drawn_;
    mutable std::array<ImagePart, kPartCount> parts_;
};

}  // namespace esper::tolaria
