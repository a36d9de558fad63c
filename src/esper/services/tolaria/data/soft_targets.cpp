#include "esper/services/tolaria/data/soft_targets.h"

#include <algorithm>
#include <cmath>

#include "esper/services/tolaria/data/batches_in_order.h"

namespace esper::tolaria {
namespace {

double draw_gamma(double shape, RandomStream& stream) {
    if (shape < 1) return draw_gamma(shape + 1, stream) * std::pow(1 - stream.uniform(), 1 / shape);
    const double d = shape - 1.0 / 3;
    const double c = 1 / std::sqrt(9 * d);
    while (true) {
        const double x = stream.normal();
        const double v = std::pow(1 + c * x, 3);
        if (v <= 0) continue;
        const double u = 1 - stream.uniform();
        if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
    }
}

}  // namespace

double draw_beta(double alpha, RandomStream& stream) {
    const double a = draw_gamma(alpha, stream);
    const double b = draw_gamma(alpha, stream);
    // Both are 0 where alpha is tiny: then one image or the other counts whole.
    return a + b > 0 ? a / (a + b) : static_cast<double>(stream.below(2));
}

Mix draw_mix(const SoftTargets& options, std::uint64_t seed, std::uint64_t step, int width,
             int height) {
    if (!options.mixes()) return {};
    RandomStream stream(seed, "mix", step);
    const bool coin = stream.below(2) == 1;
    const bool cuts = options.cutmix > 0 && (options.mixup <= 0 || coin);
    const double share = draw_beta(cuts ? options.cutmix : options.mixup, stream);
    if (!cuts) return {share, {}};
    const auto centre_x = static_cast<int>(stream.below(static_cast<std::uint64_t>(width)));
    const auto centre_y = static_cast<int>(stream.below(static_cast<std::uint64_t>(height)));
    const double half = 0.5 * std::sqrt(1 - share);
    const int half_width = static_cast<int>(half * width);
    const int half_height = static_cast<int>(half * height);
    const int left = std::max(0, centre_x - half_width);
    const int top = std::max(0, centre_y - half_height);
    const int right = std::min(width, centre_x + half_width);
    const int bottom = std::min(height, centre_y + half_height);
    const Rectangle box{left, top, right - left, bottom - top};
    const double taken = static_cast<double>(box.width) * box.height;
    return {1 - taken / (static_cast<double>(width) * height), box};
}

void mix_images(const Mix& mix, const DatasetInfo& info, std::size_t examples, float* pixels) {
    if (mix.share >= 1 || examples < 2) return;
    const auto size = static_cast<std::size_t>(info.input_elements());
    const auto channels = static_cast<std::size_t>(info.input_shape[0]);
    const auto width = static_cast<std::size_t>(info.input_shape[2]);
    const bool last = info.layout == ImageLayout::kChannelsLast;
    const auto plane = size / channels;
    const auto blend = [&](float* to, const float* other) {
        const auto share = static_cast<float>(mix.share);
        for (std::size_t i = 0; i < size; ++i) to[i] = share * to[i] + (1 - share) * other[i];
    };
    const auto paste = [&](float* to, const float* other) {
        const Rectangle& box = *mix.box;
        const auto wide = static_cast<std::size_t>(box.width);
        for (int y = box.top; y < box.top + box.height; ++y) {
            const auto at =
                static_cast<std::size_t>(y) * width + static_cast<std::size_t>(box.left);
            if (last) {
                std::copy_n(other + at * channels, wide * channels, to + at * channels);
                continue;
            }
            for (std::size_t c = 0; c < channels; ++c)
                std::copy_n(other + c * plane + at, wide, to + c * plane + at);
        }
    };
    // From the end on, so that the image before is still as it was.
    const std::vector<float> first_of_all(pixels + (examples - 1) * size, pixels + examples * size);
    for (std::size_t i = examples; i-- > 0;) {
        const float* other = i == 0 ? first_of_all.data() : pixels + (i - 1) * size;
        if (mix.box)
            paste(pixels + i * size, other);
        else
            blend(pixels + i * size, other);
    }
}

void fill_soft_targets(const SoftTargets& options, const Mix& mix,
                       std::span<const std::int64_t> classes, std::int64_t class_count,
                       float* out) {
    const auto n = classes.size();
    const auto k = static_cast<std::size_t>(class_count);
    const auto weight_of = [&](std::size_t c) {
        return options.class_weights.empty() ? 1.0 : static_cast<double>(options.class_weights[c]);
    };
    const double even = options.label_smoothing / static_cast<double>(k);
    const double hard = 1 - options.label_smoothing;
    std::vector<double> rows(n * k);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        double* row = rows.data() + i * k;
        if (even > 0)
            for (std::size_t c = 0; c < k; ++c) row[c] = even * weight_of(c);
        const auto add = [&](std::int64_t label, double share) {
            const auto c = static_cast<std::size_t>(label);
            row[c] += hard * share * weight_of(c);
            sum += share * weight_of(c);
        };
        add(classes[i], mix.share);
        if (mix.share < 1) add(classes[(i + n - 1) % n], 1 - mix.share);
    }
    const double scale = sum > 0 ? static_cast<double>(n) / sum : 0;
    for (std::size_t i = 0; i < n * k; ++i) out[i] = static_cast<float>(rows[i] * scale);
}

void fill_soft_labels(const SoftTargets& options, const Mix& mix, std::span<const float> holds,
                      std::int64_t labels, float* out) {
    const auto k = static_cast<std::size_t>(labels);
    const auto n = holds.size() / k;
    const double hard = 1 - options.label_smoothing;
    for (std::size_t i = 0; i < n; ++i) {
        const auto own = holds.subspan(i * k, k);
        const auto other = holds.subspan((i + n - 1) % n * k, k);
        for (std::size_t l = 0; l < k; ++l, ++out) {
            const double mixed = mix.share * own[l] + (1 - mix.share) * other[l];
            const double target = hard * mixed + options.label_smoothing / 2;
            const double weight = options.class_weights.empty() ? 1 : options.class_weights[l];
            out[0] = static_cast<float>(1 + (weight - 1) * target);
            out[k] = static_cast<float>(weight * target);
        }
        out += k;
    }
}

Result<std::vector<float>> balanced_label_weights(const Dataset& data, std::uint32_t examples) {
    const auto labels = static_cast<std::size_t>(data.info().classes);
    std::vector<std::uint64_t> holds(labels);
    ESPER_CHECK_STATUS(take_in_order(data, Part::kTrain, examples, [&](const Batch& batch) {
        for (std::size_t i = 0; i < batch.values.size(); ++i)
            holds[i % labels] += batch.values[i] > 0 ? 1 : 0;
    }));
    std::vector<float> weights;
    for (const auto count : holds) {
        const auto positives = static_cast<double>(count);
        const double ratio = (static_cast<double>(examples) - positives) / positives;
        weights.push_back(
            static_cast<float>(std::clamp(ratio, 1 / kMostLabelWeight, kMostLabelWeight)));
    }
    return weights;
}

Result<std::vector<float>> balanced_weights(const Dataset& data, std::uint32_t examples) {
    std::vector<std::uint64_t> counts(static_cast<std::size_t>(data.info().classes));
    ESPER_CHECK_STATUS(take_in_order(data, Part::kTrain, examples, [&](const Batch& batch) {
        for (const auto target : batch.targets) ++counts[static_cast<std::size_t>(target)];
    }));
    std::vector<float> weights(counts.size());
    for (std::size_t c = 0; c < counts.size(); ++c)
        if (counts[c] > 0)
            weights[c] = static_cast<float>(
                static_cast<double>(examples) /
                (static_cast<double>(counts.size()) * static_cast<double>(counts[c])));
    return weights;
}

}  // namespace esper::tolaria
