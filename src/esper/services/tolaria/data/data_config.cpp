#include "esper/services/tolaria/data/data_config.h"

#include <algorithm>

namespace esper::tolaria {

DataOptions data_options(const configs::DataConfig& config, std::uint32_t context,
                         ImageLayout layout) {
    const auto count = [](std::int64_t value) {
        return static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 0, UINT32_MAX));
    };
    DataOptions options;
    options.name = std::string(contracts::to_text(config.kind));
    const bool untouched = config.path == configs::DataConfig{}.path;
    if (config.kind == configs::DataKind::kText || !untouched) options.path = config.path;
    options.context = config.context > 0 ? count(config.context) : context;
    options.layout = layout;
    options.augmentation = {.flip = config.augment.flip,
                            .shift = count(config.augment.shift),
                            .cutout = count(config.augment.cutout)};
    options.split = {.train = config.split.train,
                     .probe = config.split.probe,
                     .validation = config.split.validation,
                     .test = config.split.test,
                     .train_examples = count(config.train_examples)};
    return options;
}

}  // namespace esper::tolaria
