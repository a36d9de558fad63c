#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "esper/services/tolaria/data/augment.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/data/split.h"

namespace esper::tolaria {

/// Where `esper data fetch cifar10` puts CIFAR-10 and where it is looked for when nothing is named.
inline constexpr const char* kCifar10Folder = "data/cifar-10-batches-bin";

/// The `data` section of a configuration.
struct DataOptions {
    /// A word of configs::DataKind.
    std::string name = "text";
    /// File or folder; empty: `data/tinyshakespeare.txt`, `data/cifar-10-batches-bin`. A relative
    /// path is looked for in the working directory, then in the folder Esper was built from.
    std::filesystem::path path = {};
    /// Text: characters in one window.
    std::uint32_t context = 128;
    /// Text: the characters of a network that knows them already; empty: those of the text.
    std::vector<std::string> vocabulary = {};
    /// Text: `characters`, `bytes`, or a tokenizer.json.
    std::string tokenizer = "characters";
    /// Drawn: which set.
    std::uint64_t seed = 0;
    ImageLayout layout = ImageLayout::kChannelsLast;
    Augmentation augmentation = {};
    Split split = {};
    /// Tables: the column that is predicted, or several (TableOptions); empty: the last one.
    std::string target = {};
    /// Tables and arrays: what is predicted; nothing: by the target's values.
    std::optional<Task> task = {};
    /// Folders of images: side in pixels; 0: chosen.
    std::uint32_t image_size = 0;
    /// Files and rows that cannot be read: go on without them.
    bool skip_corrupt = false;
};

/// Opens a data set by name. Errors: kUnknownName (with the nearest name) and what the set's own
/// `open` returns; none of the parts is empty afterwards.
Result<std::shared_ptr<const Dataset>> open_dataset(const DataOptions& options);

/// The path itself where it exists or is absolute, else below the source folder where it exists
/// there, else the path itself.
std::filesystem::path find_data(const std::filesystem::path& path);

}  // namespace esper::tolaria
