#include "esper/services/tolaria/data/open_like.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/services/tolaria/data/images_as_known.h"
#include "esper/services/tolaria/data/scaled_images.h"
#include "esper/services/tolaria/data/table_dataset.h"

namespace esper::tolaria {

namespace {

Result<std::shared_ptr<const Dataset>> open_images_like(const DatasetInfo& known,
                                                        DataOptions options) {
    const auto side = side_of(known);
    options.image_size = static_cast<std::uint32_t>(side);
    ESPER_TRY(auto images, open_dataset(options));
    if (!are_images(images->info()))
        return fail(DataError::kBadOption,
                    fmt::format("the network has learnt from images of {} x {} pixels; expected a "
                                "folder of images, CIFAR, IDX or NumPy images, got {}",
                                side, side, options.name));
    if (side_of(images->info()) > side) {
        ESPER_TRY(images, ScaledImages::of(std::move(images), side));
    }
    return ImagesAsKnown::of(std::move(images), known);
}

}  // namespace

Result<std::shared_ptr<const Dataset>> open_like(const Dataset& known, DataOptions options,
                                                 const std::vector<std::string>& classes) {
    auto info = known.info();
    if (!classes.empty()) info.class_names = classes;
    if (info.tokens) {
        options.context = static_cast<std::uint32_t>(info.input_shape.front());
        if (options.name == "text" && !info.tokenizer) options.vocabulary = info.class_names;
        return open_dataset(options);
    }
    if (are_images(info)) return open_images_like(info, std::move(options));
    const auto* table = dynamic_cast<const TableDataset*>(&known);
    if (table == nullptr || options.name != "table")
        return fail(DataError::kBadOption,
                    "the network has learnt from rows of numbers; other rows are matched by the "
                    "names of their columns, which a table has (CSV, Parquet)");
    return open_table({.path = find_data(options.path),
                       .target = options.target,
                       .task = info.task,
                       .skip_corrupt = options.skip_corrupt,
                       .split = options.split,
                       .like = table,
                       .outputs = info.class_names});
}

}  // namespace esper::tolaria
