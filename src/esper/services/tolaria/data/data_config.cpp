#include "esper/services/tolaria/data/data_config.h"

#include <algorithm>

namespace esper::tolaria {

DataOptions data_options(const configs::EsperConfig& config) {
    const configs::DataConfig& data = config.data;
    const auto count = [](std::int64_t value) {
        return static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 0, UINT32_MAX));
    };
    const bool drawn = data.kind == configs::DataKind::kDrawn;
    const bool untouched = data.path == configs::DataConfig{}.path;
    DataOptions options;
    options.name = std::string(contracts::to_text(data.kind));
    if (data.kind == configs::DataKind::kText || (!drawn && !untouched)) options.path = data.path;
    options.context = count(data.context > 0 ? data.context : config.model.context);
    options.seed = config.run.seed;
    options.layout = ImageLayout::kChannelsLast;
    options.augmentation = {.flip = data.augment.flip,
                            .shift = count(data.augment.shift),
                            .cutout = count(data.augment.cutout),
                            .erasing = data.augment.erasing,
                            .operations = data.augment.randaugment,
                            .magnitude = data.augment.magnitude};
    options.split = {.train = data.split.train,
                     .probe = data.split.probe,
                     .validation = data.split.validation,
                     .test = data.split.test,
                     .train_examples = drawn ? count(data.train_examples) : 0,
                     .seed = static_cast<std::uint64_t>(data.split.seed)};
    options.target = data.target;
    if (data.task == configs::DataTask::kClassification) options.task = Task::kClassification;
    if (data.task == configs::DataTask::kRegression) options.task = Task::kRegression;
    if (data.task == configs::DataTask::kMultiLabel) options.task = Task::kMultiLabel;
    options.tokenizer = data.tokenizer;
    options.image_size = count(data.image_size);
    options.skip_corrupt = data.corrupt == configs::CorruptRule::kSkip;
    return options;
}

}  // namespace esper::tolaria
