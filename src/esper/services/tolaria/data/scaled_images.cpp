#include "esper/services/tolaria/data/scaled_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "esper/base/hash.h"

namespace esper::tolaria {

Downscale::Downscale(Size from, Size to, int channels, ImageLayout layout)
    : from_(from),
      to_(to),
      channels_(channels),
      channels_last_(layout == ImageLayout::kChannelsLast),
      rows_(taps(from.height, to.height)),
      columns_(taps(from.width, to.width)) {}

std::vector<Downscale::Tap> Downscale::taps(int from, int to) {
    std::vector<Tap> taps(static_cast<std::size_t>(to));
    const double scale = static_cast<double>(from) / to;
    for (int i = 0; i < to; ++i) {
        const double centre = (i + 0.5) * scale;
        auto& tap = taps[static_cast<std::size_t>(i)];
        const int begin = std::max(0, static_cast<int>(std::floor(centre - scale)));
        const int end = std::min(from, static_cast<int>(std::ceil(centre + scale)));
        double sum = 0;
        std::vector<double> weights;
        for (int p = begin; p < end; ++p) {
            const double weight = 1 - std::abs((p + 0.5 - centre) / scale);
            if (weight <= 0) continue;  // only at the ends
            if (weights.empty()) tap.first = p;
            weights.push_back(weight);
            sum += weight;
        }
        for (const double weight : weights) tap.weights.push_back(static_cast<float>(weight / sum));
    }
    return taps;
}

// `count` lines of pixels that are `step` floats apart, one line after the other.
void Downscale::narrow(const float* lines, int count, int step, float* out) const {
    for (int line = 0; line < count; ++line, lines += from_.width * step)
        for (const auto& tap : columns_) {
            const float* first = lines + static_cast<std::ptrdiff_t>(tap.first) * step;
            for (int c = 0; c < step; ++c) {
                float sum = 0;
                const float* pixel = first + c;
                for (const float weight : tap.weights) {
                    sum += weight * *pixel;
                    pixel += step;
                }
                *out++ = sum;
            }
        }
}

// First down the columns, whole rows at a time, then along the fewer rows that are left.
void Downscale::run(const float* image, float* smaller) const {
    const int planes = channels_last_ ? 1 : channels_;
    const int step = channels_last_ ? channels_ : 1;
    const auto row = static_cast<std::size_t>(from_.width) * static_cast<std::size_t>(step);
    std::vector<float> low(row * static_cast<std::size_t>(to_.height));
    for (int plane = 0; plane < planes; ++plane) {
        std::ranges::fill(low, 0.0F);
        float* line = low.data();
        for (const auto& tap : rows_) {
            const float* from = image + static_cast<std::size_t>(tap.first) * row;
            for (const float weight : tap.weights) {
                for (std::size_t x = 0; x < row; ++x) line[x] += weight * from[x];
                from += row;
            }
            line += row;
        }
        narrow(low.data(), to_.height, step, smaller);
        image += static_cast<std::size_t>(from_.height) * row;
        smaller += static_cast<std::ptrdiff_t>(to_.height) * to_.width * step;
    }
}

bool are_images(const DatasetInfo& info) { return !info.tokens && info.input_shape.size() == 3; }

int side_of(const DatasetInfo& info) {
    return static_cast<int>(std::min(info.input_shape[1], info.input_shape[2]));
}

DatasetInfo info_at(DatasetInfo info, int side) {
    const int own = side_of(info);
    for (auto axis : {1U, 2U}) {
        auto& size = info.input_shape[axis];
        size = std::max<std::int64_t>(1, std::llround(static_cast<double>(size) * side / own));
    }
    return info;
}

namespace {

Downscale downscale_between(const DatasetInfo& from, const DatasetInfo& to) {
    const auto size = [](const DatasetInfo& info) {
        return Downscale::Size{static_cast<int>(info.input_shape[1]),
                               static_cast<int>(info.input_shape[2])};
    };
    return {size(from), size(to), static_cast<int>(from.input_shape[0]), from.layout};
}

}  // namespace

ScaledImages::ScaledImages(std::shared_ptr<const Dataset> images, DatasetInfo info)
    : images_(std::move(images)),
      info_(std::move(info)),
      downscale_(downscale_between(images_->info(), info_)) {}

Result<std::shared_ptr<const Dataset>> ScaledImages::of(std::shared_ptr<const Dataset> images,
                                                        int side) {
    const auto& info = images->info();
    if (!are_images(info))
        return fail(DataError::kBadOption,
                    fmt::format("data.resolution: only images grow, and these data ({}) are none; "
                                "leave it out",
                                info.name));
    const int own = side_of(info);
    if (side > own)
        return fail(DataError::kBadOption,
                    fmt::format("data.resolution: {} pixels, but the images of '{}' have {} x {}; "
                                "their shorter side, {}, is the largest size there is",
                                side, info.name, info.input_shape[1], info.input_shape[2], own));
    if (side == own) return images;
    Sha256Hasher hasher;
    hasher.update_field("scaled").update_field(info.fingerprint);
    hasher.update_u64(static_cast<std::uint64_t>(side));
    auto smaller = info_at(info, side);
    smaller.fingerprint = hasher.finish().hex();
    // Once is enough.
    if (const auto* scaled = dynamic_cast<const ScaledImages*>(images.get()))
        images = scaled->images_;
    return std::shared_ptr<const Dataset>(new ScaledImages(std::move(images), std::move(smaller)));
}

Status ScaledImages::fill(Part part, std::span<const std::uint32_t> indices,
                          const std::optional<Variation>& variation, InputBuffer inputs,
                          TargetBuffer targets) const {
    const auto whole = static_cast<std::size_t>(images_->info().input_elements());
    const auto small = static_cast<std::size_t>(info_.input_elements());
    std::vector<float> pixels(whole * indices.size());
    ESPER_CHECK_STATUS(images_->fill(part, indices, variation, {.pixels = pixels.data()}, targets));
    for (std::size_t i = 0; i < indices.size(); ++i)
        downscale_.run(pixels.data() + i * whole, inputs.pixels + i * small);
    return {};
}

}  // namespace esper::tolaria
