#include "esper/services/tolaria/data/open_dataset.h"

#include <fmt/format.h>

#include <vector>

#include "esper/base/text.h"
#include "esper/services/tolaria/data/cifar10.h"
#include "esper/services/tolaria/data/drawn_images.h"
#include "esper/services/tolaria/data/open_own.h"
#include "esper/services/tolaria/data/table_dataset.h"
#include "esper/services/tolaria/data/text_dataset.h"

#ifndef ESPER_SOURCE_DIR
#define ESPER_SOURCE_DIR "."
#endif

namespace esper::tolaria {
namespace {

std::filesystem::path path_or(const std::filesystem::path& asked, const char* otherwise) {
    return find_data(asked.empty() ? std::filesystem::path(otherwise) : asked);
}

Result<std::shared_ptr<const Dataset>> open_text(const DataOptions& options) {
    return TextDataset::open({.path = path_or(options.path, "data/tinyshakespeare.txt"),
                              .context = options.context,
                              .split = options.split,
                              .vocabulary = options.vocabulary,
                              .tokenizer = options.tokenizer});
}

Result<std::shared_ptr<const Dataset>> open_cifar10(const DataOptions& options) {
    return Cifar10::open({.folder = path_or(options.path, kCifar10Folder),
                          .layout = options.layout,
                          .augmentation = options.augmentation,
                          .split = options.split});
}

Result<std::shared_ptr<const Dataset>> open_drawn(const DataOptions& options) {
    return DrawnImages::open({.seed = options.seed,
                              .layout = options.layout,
                              .augmentation = options.augmentation,
                              .split = options.split,
                              .threads = 0});
}

Result<std::shared_ptr<const Dataset>> open_table_at(const DataOptions& options) {
    return open_table({.path = find_data(options.path),
                       .target = options.target,
                       .task = options.task,
                       .skip_corrupt = options.skip_corrupt,
                       .split = options.split});
}

struct Entry {
    std::string name;
    Result<std::shared_ptr<const Dataset>> (*open)(const DataOptions&);
};

const std::vector<Entry>& datasets() {
    static const std::vector<Entry> entries = {
        {"text", open_text},           {"cifar10", open_cifar10}, {"drawn", open_drawn},
        {"table", open_table_at},      {"numpy", open_numpy},     {"idx", open_idx},
        {"images", open_image_folder}, {"tokens", open_tokens},   {"cifar100", open_cifar100}};
    return entries;
}

}  // namespace

std::filesystem::path find_data(const std::filesystem::path& path) {
    std::error_code none;
    if (path.is_absolute() || std::filesystem::exists(path, none)) return path;
    const std::filesystem::path beside = std::filesystem::path(ESPER_SOURCE_DIR) / path;
    return std::filesystem::exists(beside, none) ? beside : path;
}

Result<std::shared_ptr<const Dataset>> open_dataset(const DataOptions& options) {
    std::vector<std::string> names;
    for (const Entry& entry : datasets()) {
        if (entry.name == options.name) return entry.open(options);
        names.push_back(entry.name);
    }
    return fail(DataError::kUnknownName,
                fmt::format("data.name {} is none of {}",
                            quote_with_suggestion(options.name, names), join(names, ", ")));
}

}  // namespace esper::tolaria
