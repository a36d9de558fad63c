#include "esper/services/tolaria/host/growing_images.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/program/input_size.h"
#include "esper/services/tolaria/data/scaled_images.h"
#include "esper/services/tolaria/learn/flops.h"
#include "esper/services/tolaria/learn/input_cost.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

Result<std::shared_ptr<GrowingImages>> GrowingImages::make(const configs::EsperConfig& config,
                                                           std::shared_ptr<const Dataset> data,
                                                           const graph::Program& host) {
    auto images = std::make_shared<GrowingImages>();
    images->sizes_ = configs::image_sizes(config.data.resolution);
    if (images->sizes_.empty()) {
        images->views_.push_back(std::move(data));
        return images;
    }
    for (const auto& size : images->sizes_) {
        ESPER_TRY(auto view, ScaledImages::of(data, size.pixels));
        if (const auto takes = graph::check_input_size(host, view->info().input_shape); !takes)
            return fail(TolariaError::kUnsupported,
                        fmt::format("data.resolution: '{}' does not take images of {} x {} pixels: "
                                    "{}; images can grow where a network pools over all of the "
                                    "image before its last layer, as resnet and vgg do, and each "
                                    "size is large enough for its layers",
                                    host.name(), view->info().input_shape[1],
                                    view->info().input_shape[2], takes.error().message()));
        images->views_.push_back(std::move(view));
    }
    return images;
}

int GrowingImages::side(std::size_t stage) const {
    const auto& info = views_[stage]->info();
    return are_images(info) ? side_of(info) : 0;
}

std::size_t GrowingImages::stage_for(double share) const {
    std::size_t wanted = stage_;
    while (wanted + 1 < sizes_.size() && sizes_[wanted + 1].from <= share) ++wanted;
    return wanted;
}

void GrowingImages::change(const Change& change) {
    changes_.push_back(change);
    stage_ = static_cast<std::size_t>(change.stage);
}

Status GrowingImages::restore(const std::vector<Change>& changes) {
    std::int64_t stage = 0, step = -1;
    for (const auto& one : changes) {
        if (one.stage <= stage || one.stage >= static_cast<std::int64_t>(views_.size()) ||
            one.step <= step || one.epochs < 0)
            return fail(TolariaError::kBadCheckpoint,
                        "the checkpoint cannot be read: 'resolution' is no order of sizes");
        stage = one.stage;
        step = one.step;
    }
    changes_ = changes;
    stage_ = static_cast<std::size_t>(stage);
    return {};
}

std::size_t GrowingImages::stage_at(std::int64_t step) const {
    std::size_t stage = 0;
    for (const auto& one : changes_)
        if (one.step <= step) stage = static_cast<std::size_t>(one.stage);
    return stage;
}

Result<double> GrowingImages::training_flops(const graph::Program& program, std::int64_t from,
                                             std::int64_t to, std::int64_t examples) const {
    double sum = 0;
    while (from < to) {
        const auto next = std::ranges::find_if(
            changes_, [&](const Change& one) { return one.step > from && one.step < to; });
        const auto end = next == changes_.end() ? to : next->step;
        ESPER_TRY(const auto cost, cost_on(program, at(from).info()));
        sum += tolaria::training_flops(cost, (end - from) * examples);
        from = end;
    }
    return sum;
}

Result<std::vector<SizeCost>> size_costs(const configs::EsperConfig& config,
                                         const DatasetInfo& data, const graph::Program& host) {
    std::vector<SizeCost> costs;
    for (const auto& size : configs::image_sizes(config.data.resolution)) {
        ESPER_TRY(auto cost, cost_on(host, info_at(data, size.pixels)));
        costs.push_back({size.from, std::move(cost)});
    }
    if (!costs.empty()) return costs;
    ESPER_TRY(auto cost, graph::count_cost(host));
    costs.push_back({0, std::move(cost)});
    return costs;
}

std::vector<Course::Price> prices_of(const std::vector<SizeCost>& costs) {
    std::vector<Course::Price> prices;
    for (const auto& one : costs)
        prices.push_back({one.from, static_cast<double>(one.cost.training_flops)});
    return prices;
}

}  // namespace esper::tolaria
