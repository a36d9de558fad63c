#pragma once

#include "esper/services/tolaria/data/open_dataset.h"

namespace esper::tolaria {

/// The sets that a user brings, each as options.path has it. Errors: those of reading, of the
/// format and of dividing.
///
/// A folder with a sub-folder of JPEG and PNG files for each class, or with train, val and test
/// folders of such. Decoded by all cores and kept in a cache (image_cache.h).
Result<std::shared_ptr<const Dataset>> open_image_folder(const DataOptions& options);
/// MNIST and its relatives: a folder with images and labels, or the file of the images.
Result<std::shared_ptr<const Dataset>> open_idx(const DataOptions& options);
/// An .npz archive, a folder of .npy files, or one of them: images, or rows of numbers.
Result<std::shared_ptr<const Dataset>> open_numpy(const DataOptions& options);
/// CIFAR-100 in its binary layout: a folder with train.bin and test.bin.
Result<std::shared_ptr<const Dataset>> open_cifar100(const DataOptions& options);
/// Token numbers: nanoGPT's .bin (16 bits each), a folder with train.bin and val.bin, or an .npy of
/// one dimension.
Result<std::shared_ptr<const Dataset>> open_tokens(const DataOptions& options);

}  // namespace esper::tolaria
