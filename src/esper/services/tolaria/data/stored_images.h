#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "esper/services/tolaria/data/image_dataset.h"
#include "esper/services/tolaria/data/split.h"

namespace esper::tolaria {

/// Images as they were read, before they are divided.
struct ImageSource {
    std::string name;  ///< the word of data.kind
    std::vector<std::string> class_names;
    bool several_labels = false;  ///< the classes are labels, ImagePart::holds says which hold
    int channels = 3;
    int height = 0;
    int width = 0;
    ImagePart pool;                       ///< what the shares divide
    std::optional<ImagePart> validation;  ///< where the data bring them
    std::optional<ImagePart> test;
    std::string content_sha256;
    std::vector<std::string> notes;
};

struct ImageSetOptions {
    ImageLayout layout = ImageLayout::kChannelsLast;
    Augmentation augmentation = {};
    Split split = {};
};

/// Images in memory. The pool is divided class by class (split_rows), or by the labels; images that
/// are not square get black edges. Parts that the data bring are used as they are.
class StoredImages final : public ImageDataset {
  public:
    /// Errors: those of split_rows; kTooSmall for fewer than two classes, or no label.
    static Result<std::shared_ptr<const Dataset>> make(ImageSource source,
                                                       const ImageSetOptions& options);

    std::uint32_t size(Part which) const override {
        return static_cast<std::uint32_t>(part(which).labels.size());
    }
    const ImagePart& part(Part which) const override {
        return parts_[static_cast<std::size_t>(which)];
    }

  private:
    StoredImages(ImageSource& source, const ImageSetOptions& options);
    std::array<ImagePart, kPartCount> parts_;
};

}  // namespace esper::tolaria
