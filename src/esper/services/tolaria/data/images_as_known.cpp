#include "esper/services/tolaria/data/images_as_known.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "esper/base/hash.h"

namespace esper::tolaria {

Result<std::shared_ptr<const Dataset>> ImagesAsKnown::of(std::shared_ptr<const Dataset> images,
                                                         const DatasetInfo& known) {
    const auto& own = images->info();
    if (own.input_shape != known.input_shape || own.layout != known.layout)
        return fail(
            DataError::kBadOption,
            fmt::format("the images are [{}] (channels, height, width), the network takes "
                        "[{}]; give images of that many channels that are not smaller",
                        fmt::join(own.input_shape, ", "), fmt::join(known.input_shape, ", ")));
    ESPER_TRY(auto match, match_classes(known, own));
    return std::shared_ptr<const Dataset>(
        new ImagesAsKnown(std::move(images), known, std::move(match)));
}

ImagesAsKnown::ImagesAsKnown(std::shared_ptr<const Dataset> images, const DatasetInfo& known,
                             ClassMatch match)
    : images_(std::move(images)), info_(images_->info()), match_(std::move(match)) {
    for (std::size_t c = 0; c < known.mean.size(); ++c) {
        scale_.push_back(static_cast<float>(info_.deviation[c] / known.deviation[c]));
        shift_.push_back(static_cast<float>((info_.mean[c] - known.mean[c]) / known.deviation[c]));
    }
    info_.mean = known.mean;
    info_.deviation = known.deviation;
    info_.classes = known.classes;
    info_.target_shape = known.target_shape;
    info_.class_names = match_.names;
    if (!match_.note.empty()) info_.notes.push_back(match_.note);
    info_.fingerprint = Sha256Hasher()
                            .update_field("as known")
                            .update_field(info_.fingerprint)
                            .update_field(known.fingerprint)
                            .finish()
                            .hex();
}

void ImagesAsKnown::normalise(float* image) const {
    const auto channels = scale_.size();
    const auto plane = static_cast<std::size_t>(info_.input_shape[1] * info_.input_shape[2]);
    const bool last = info_.layout == ImageLayout::kChannelsLast;
    for (std::size_t c = 0; c < channels; ++c) {
        float* value = image + (last ? c : c * plane);
        for (std::size_t p = 0; p < plane; ++p, value += last ? channels : 1)
            *value = *value * scale_[c] + shift_[c];
    }
}

void ImagesAsKnown::move_labels(std::size_t examples, float* values) const {
    std::vector<float> own(match_.output_of.size());
    for (std::size_t i = 0; i < examples; ++i, values += own.size()) {
        std::copy_n(values, own.size(), own.begin());
        for (std::size_t l = 0; l < own.size(); ++l) values[match_.output_of[l]] = own[l];
    }
}

Status ImagesAsKnown::fill(Part part, std::span<const std::uint32_t> indices,
                           const std::optional<Variation>& variation, InputBuffer inputs,
                           TargetBuffer targets) const {
    ESPER_CHECK_STATUS(images_->fill(part, indices, variation, inputs, targets));
    const auto each = static_cast<std::size_t>(info_.input_elements());
    for (std::size_t i = 0; i < indices.size(); ++i) normalise(inputs.pixels + i * each);
    if (match_.is_identity()) return {};
    if (info_.task == Task::kMultiLabel)
        move_labels(indices.size(), targets.values);
    else
        for (std::size_t i = 0; i < indices.size(); ++i)
            targets.classes[i] = match_.output_of[static_cast<std::size_t>(targets.classes[i])];
    return {};
}

}  // namespace esper::tolaria
