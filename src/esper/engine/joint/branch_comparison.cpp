#include "esper/engine/joint/branch_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace esper::graph {

namespace {

std::vector<double> numbers(const at::Tensor& t) {
    const auto flat = t.to(at::kDouble).contiguous();
    const auto* data = flat.const_data_ptr<double>();
    return {data, data + flat.numel()};
}

}  // namespace

Comparison compare_branches(const std::vector<std::string>& names,
                            const std::vector<at::Tensor>& kernel,
                            const std::vector<at::Tensor>& aten,
                            const std::vector<at::Tensor>& reference, ComparisonBound bound) {
    Comparison all;
    double worst_share = -1;
    for (std::size_t i = 0; i < reference.size(); ++i) {
        const auto ours = numbers(kernel[i]);
        const auto theirs = numbers(aten[i]);
        const auto want = numbers(reference[i]);
        if (ours.size() != want.size()) {
            all.why = fmt::format("{} has {} elements, not {}", names[i], ours.size(), want.size());
            return all;
        }
        double size = 0;
        double distance = 0;
        double aten_distance = 0;
        for (std::size_t k = 0; k < want.size(); ++k) {
            if (std::isnan(theirs[k]) && std::isfinite(ours[k])) {
                all.why = fmt::format("{} is finite where ATen's is NaN", names[i]);
                return all;
            }
            if (!std::isfinite(want[k]) || !std::isfinite(theirs[k])) continue;
            if (!std::isfinite(ours[k])) {
                all.why = fmt::format("{} is not finite where ATen's is", names[i]);
                return all;
            }
            size += want[k] * want[k];
            distance += (ours[k] - want[k]) * (ours[k] - want[k]);
            aten_distance += (theirs[k] - want[k]) * (theirs[k] - want[k]);
        }
        // Where the reference is zero, so must the kernel's result be.
        const double scale = size > 0 ? 1 / std::sqrt(size) : 1;
        const double error = std::sqrt(distance) * scale;
        const double allowed =
            std::max(bound.floor, bound.times_aten * std::sqrt(aten_distance) * scale);
        if (error / allowed > worst_share) {
            worst_share = error / allowed;
            all.error = error;
            all.allowed = allowed;
        }
        if (error > allowed && all.why.empty())
            all.why = fmt::format("the error of {} is {:.2g}, {:.2g} are allowed", names[i], error,
                                  allowed);
    }
    return all;
}

}  // namespace esper::graph
