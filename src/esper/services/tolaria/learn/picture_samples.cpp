#include "esper/services/tolaria/learn/picture_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "esper/services/tolaria/data/prefetching_loader.h"
#include "esper/services/tolaria/learn/input_cost.h"
#include "esper/services/tolaria/learn/prediction.h"

namespace esper::tolaria {

namespace {

constexpr std::size_t kFirst = 4;
constexpr std::size_t kWorst = 4;
constexpr std::int64_t kMostSide = 32;

// The first examples, then the ones of the greatest loss among the others.
std::vector<std::uint32_t> shown_examples(std::span<const float> losses) {
    std::vector<std::uint32_t> order(losses.size());
    std::iota(order.begin(), order.end(), 0U);
    const auto first = static_cast<std::ptrdiff_t>(std::min(kFirst, order.size()));
    std::stable_sort(order.begin() + first, order.end(),
                     [&](auto a, auto b) { return losses[a] > losses[b]; });
    order.resize(std::min(kFirst + kWorst, order.size()));
    return order;
}

/// How the pixels of one image lie, and how many a side are shown of it.
struct Layout {
    std::int64_t channels, height, width, rows, columns;
    bool channels_last;

    explicit Layout(const DatasetInfo& info)
        : channels(info.input_shape[0]),
          height(info.input_shape[1]),
          width(info.input_shape[2]),
          rows(std::min(height, kMostSide)),
          columns(std::min(width, kMostSide)),
          channels_last(info.layout == ImageLayout::kChannelsLast) {}

    std::int64_t shown_channels() const { return channels < 3 ? 1 : 3; }
    std::size_t place(std::int64_t c, std::int64_t y, std::int64_t x) const {
        return static_cast<std::size_t>(channels_last ? (y * width + x) * channels + c
                                                      : (c * height + y) * width + x);
    }
};

// The mean of the area below one shown pixel, from 0 to 255.
int shade(const float* image, const Layout& layout, const DatasetInfo& info, std::int64_t c,
          std::int64_t row, std::int64_t column) {
    double sum = 0;
    int count = 0;
    for (auto y = row * layout.height / layout.rows; y < (row + 1) * layout.height / layout.rows;
         ++y)
        for (auto x = column * layout.width / layout.columns;
             x < (column + 1) * layout.width / layout.columns; ++x, ++count)
            sum += image[layout.place(c, y, x)];
    const auto channel = static_cast<std::size_t>(c);
    const double value = sum / count * info.deviation[channel] + info.mean[channel];
    return static_cast<int>(std::clamp(std::lround(255 * value), 0L, 255L));
}

// Two hexadecimal digits for each channel of each pixel, row by row.
std::string pixels_of(const float* image, const Layout& layout, const DatasetInfo& info) {
    std::string text;
    for (std::int64_t y = 0; y < layout.rows; ++y)
        for (std::int64_t x = 0; x < layout.columns; ++x)
            for (std::int64_t c = 0; c < layout.shown_channels(); ++c)
                fmt::format_to(std::back_inserter(text), "{:02x}",
                               shade(image, layout, info, c, y, x));
    return text;
}

std::string class_name(const DatasetInfo& info, std::int64_t number) {
    const auto at = static_cast<std::size_t>(number);
    return at < info.class_names.size() ? info.class_names[at] : std::to_string(number);
}

}  // namespace

Result<double> record_pictures(const SampleSource& source, const Dataset& dataset,
                               std::span<const float> losses, const std::string& when,
                               execution::Moment now) {
    const auto& info = source.info;
    if (info.tokens || info.task != Task::kClassification || info.input_shape.size() != 3 ||
        losses.empty())
        return 0.0;
    const Layout layout(info);
    Batch batch;
    batch.indices = shown_examples(losses);
    ESPER_CHECK_STATUS(fill_batch(dataset, Part::kValidation, std::nullopt, batch));
    ESPER_TRY(const auto predictions, predict(source.engine, source.program, source.store, info,
                                              batch.pixels, batch.indices.size(), 1));
    nlohmann::json pictures = nlohmann::json::array();
    const auto elements = static_cast<std::size_t>(info.input_elements());
    for (std::size_t i = 0; i < batch.indices.size(); ++i) {
        const auto& best = predictions[i].best.front();
        pictures.push_back(
            {{"example", batch.indices[i]},
             {"why", i < kFirst ? "first" : "greatest loss"},
             {"class", class_name(info, batch.targets[i])},
             {"taken_for", class_name(info, best.number)},
             {"probability", best.probability},
             {"loss", losses[batch.indices[i]]},
             {"pixels", pixels_of(batch.pixels.data() + i * elements, layout, info)}});
    }
    ESPER_CHECK_STATUS(source.folder.event("pictures", now.step, now.epoch,
                                           {{"when", when},
                                            {"height", layout.rows},
                                            {"width", layout.columns},
                                            {"channels", layout.shown_channels()},
                                            {"pictures", std::move(pictures)}}));
    ESPER_TRY(const auto cost, cost_on(*source.program, info));
    return static_cast<double>(cost.forward_flops) * static_cast<double>(batch.indices.size());
}

}  // namespace esper::tolaria
