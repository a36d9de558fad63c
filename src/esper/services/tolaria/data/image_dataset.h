#pragma once

#include <cstdint>
#include <vector>

#include "esper/services/tolaria/data/augment.h"
#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// The images of one part: planar bytes {n, channels, height, width} and a class number for each;
/// of several labels one byte a label for each, 1 where it holds, and the class numbers are 0.
struct ImagePart {
    std::vector<std::uint8_t> pixels;
    std::vector<std::uint16_t> labels;
    std::vector<std::uint8_t> holds = {};
};

/// The common part of all image sets: normalisation by the train part, layout, augmentation. A
/// derived class only provides the bytes of each part.
class ImageDataset : public Dataset {
  public:
    const DatasetInfo& info() const override { return info_; }
    Status fill(Part part, std::span<const std::uint32_t> indices,
                const std::optional<Variation>& variation, InputBuffer inputs,
                TargetBuffer targets) const override;

    /// The bytes of a part. A set that draws its images makes them at the first call.
    virtual const ImagePart& part(Part part) const = 0;

  protected:
    ImageDataset(std::string name, std::vector<std::string> class_names, int channels, int height,
                 int width, ImageLayout layout, Augmentation augmentation);
    /// Measures mean and deviation per channel. Call once, before any `fill`.
    void normalise_by(const ImagePart& train);
    void set_brings(bool validation, bool test) {
        info_.brings_validation = validation;
        info_.brings_test = test;
    }
    /// The classes are labels, of which each holds or does not.
    void set_labels() {
        info_.task = Task::kMultiLabel;
        info_.target_shape = {info_.classes};
    }
    void note(std::string text) { info_.notes.push_back(std::move(text)); }
    void set_fingerprint(std::string hex) { info_.fingerprint = std::move(hex); }

  private:
    DatasetInfo info_;
    Augmentation augmentation_;
    Normalisation normalisation_;
};

}  // namespace esper::tolaria
