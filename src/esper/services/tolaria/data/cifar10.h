#pragma once

#include <array>
#include <filesystem>
#include <memory>

#include "esper/services/tolaria/data/image_dataset.h"
#include "esper/services/tolaria/data/split.h"

namespace esper::tolaria {

struct Cifar10Options {
    /// The folder with the files, or its parent with a folder `cifar-10-batches-bin`.
    std::filesystem::path folder = {};
    ImageLayout layout = ImageLayout::kChannelsLast;
    Augmentation augmentation = {};
    /// Shares of the 50,000 training images for probe and validation; the rest is train. The test
    /// part is always the test batch; `split.test` is ignored.
    Split split = {};
};

/// CIFAR-10 in its standard binary form (Krizhevsky 2009): `data_batch_1..5.bin` and
/// `test_batch.bin`, each 10,000 records of one class byte and 3 × 32 × 32 pixel bytes. A fixed
/// permutation, the same in every run, divides the 50,000 into train, probe and validation.
class Cifar10 final : public ImageDataset {
  public:
    /// Errors: kMissing (with the file and what to do), kTruncated, kCorrupt for a class above 9.
    static Result<std::shared_ptr<const Cifar10>> open(const Cifar10Options& options);

    std::uint32_t size(Part part) const override;
    const ImagePart& part(Part which) const override {
        return parts_[static_cast<std::size_t>(which)];
    }

  private:
    explicit Cifar10(const Cifar10Options& options);
    std::array<ImagePart, kPartCount> parts_;
};

}  // namespace esper::tolaria
