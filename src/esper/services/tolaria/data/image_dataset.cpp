#include "esper/services/tolaria/data/image_dataset.h"

#include <algorithm>
#include <cmath>

#include "esper/services/tolaria/data/rand_augment.h"

namespace esper::tolaria {

ImageDataset::ImageDataset(std::string name, std::vector<std::string> class_names, int channels,
                           int height, int width, ImageLayout layout, Augmentation augmentation)
    : augmentation_(augmentation) {
    info_.name = std::move(name);
    info_.input_shape = {channels, height, width};
    info_.classes = static_cast<std::int64_t>(class_names.size());
    info_.class_names = std::move(class_names);
    info_.layout = layout;
}

void ImageDataset::normalise_by(const ImagePart& train) {
    const auto channels = static_cast<std::size_t>(info_.input_shape[0]);
    const std::size_t plane = static_cast<std::size_t>(info_.input_shape[1] * info_.input_shape[2]);
    const std::size_t images = train.labels.size();
    info_.mean.assign(channels, 0.0);
    info_.deviation.assign(channels, 1.0);
    for (std::size_t c = 0; c < channels; ++c) {
        // Integer sums are exact in any order.
        std::uint64_t sum = 0;
        std::uint64_t squares = 0;
        for (std::size_t i = 0; i < images; ++i) {
            const std::uint8_t* pixels = train.pixels.data() + (i * channels + c) * plane;
            for (std::size_t p = 0; p < plane; ++p) {
                const std::uint64_t value = pixels[p];
                sum += value;
                squares += value * value;
            }
        }
        const double n = static_cast<double>(images * plane) * 255.0;
        const double mean = static_cast<double>(sum) / n;
        const double variance = static_cast<double>(squares) / (n * 255.0) - mean * mean;
        info_.mean[c] = mean;
        if (variance > 1e-12) info_.deviation[c] = std::sqrt(variance);
    }
    normalisation_ = Normalisation(info_.mean, info_.deviation);
}

Status ImageDataset::fill(Part which, std::span<const std::uint32_t> indices,
                          const std::optional<Variation>& variation, InputBuffer inputs,
                          TargetBuffer targets) const {
    const ImagePart& from = part(which);
    const auto count = static_cast<std::uint32_t>(from.labels.size());
    const auto bytes = static_cast<std::size_t>(info_.input_elements());
    const int channels = static_cast<int>(info_.input_shape[0]);
    const int height = static_cast<int>(info_.input_shape[1]);
    const int width = static_cast<int>(info_.input_shape[2]);
    const auto labels = static_cast<std::size_t>(info_.classes);
    std::vector<std::uint8_t> changed;
    for (const std::uint32_t index : indices) {
        if (index >= count) return bad_index(info_.name, which, index, count);
        Placement placement;
        const std::uint8_t* source = from.pixels.data() + index * bytes;
        if (variation && which == Part::kTrain) {
            placement = draw_placement(augmentation_, *variation, index, width, height);
            if (augmentation_.operations > 0) {
                changed.assign(source, source + bytes);
                RandomStream stream(variation->seed, "randaugment", variation->epoch, index);
                rand_augment({changed, channels, height, width}, augmentation_.operations,
                             augmentation_.magnitude, stream);
                source = changed.data();
            }
        }
        place_image(source, channels, height, width, placement, normalisation_, info_.layout,
                    inputs.pixels);
        inputs.pixels += bytes;
        if (info_.task == Task::kMultiLabel)
            targets.values =
                std::copy_n(from.holds.data() + index * labels, labels, targets.values);
        else
            *targets.classes++ = from.labels[index];
    }
    return {};
}

}  // namespace esper::tolaria
