#pragma once

#include <memory>

#include "esper/services/tolaria/data/class_match.h"

namespace esper::tolaria {

/// Images as the network reads them that has learnt from other images: normalised by their mean and
/// deviation, classes at the outputs of theirs. Immutable.
class ImagesAsKnown final : public Dataset {
  public:
    /// Errors: kBadOption for images of another size or with other channels; those of
    /// match_classes.
    static Result<std::shared_ptr<const Dataset>> of(std::shared_ptr<const Dataset> images,
                                                     const DatasetInfo& known);

    const DatasetInfo& info() const override { return info_; }
    std::uint32_t size(Part part) const override { return images_->size(part); }
    Status fill(Part part, std::span<const std::uint32_t> indices,
                const std::optional<Variation>& variation, InputBuffer inputs,
                TargetBuffer targets) const override;

  private:
    ImagesAsKnown(std::shared_ptr<const Dataset> images, const DatasetInfo& known,
                  ClassMatch match);
    void normalise(float* image) const;
    void move_labels(std::size_t examples, float* values) const;

    std::shared_ptr<const Dataset> images_;
    DatasetInfo info_;
    ClassMatch match_;
    std::vector<float> scale_;  ///< of each channel: known = own * scale + shift
    std::vector<float> shift_;
};

}  // namespace esper::tolaria
