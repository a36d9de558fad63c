#include "esper/services/urabrask/cases.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "esper/engine/branch_kernel.h"
#include "esper/engine/tensor_store.h"

namespace esper::urabrask {

namespace {

constexpr std::uint64_t kSeed = 20261129;

}  // namespace

std::vector<Case> cases_of(const graph::TensorType& type, std::int64_t tile_rows,
                           std::int64_t rows_multiple, std::int64_t rows) {
    auto random = at::detail::createCPUGenerator(kSeed);
    const bool images = type.shape.size() == 4;
    const bool whole = rows_multiple > 1;
    std::vector<Case> all;
    const auto add = [&](std::int64_t n, const std::string& what, auto&& change) {
        auto shape = type.shape;
        shape[0] = shape.size() == 3 && !whole ? 1 : n;
        if (shape.size() == 3) shape[1] = whole ? rows_multiple : n;
        Case made{fmt::format("{} {}, {}", n,
                              images  ? "images"
                              : whole ? "sequences"
                                      : "rows",
                              what),
                  graph::features_last(at::randn(shape, random)),
                  graph::features_last(at::randn(shape, random))};
        change(made.x);
        all.push_back(std::move(made));
    };
    const auto as_it_is = [](at::Tensor&) {};
    const std::int64_t prime = whole ? 3 : 31;
    std::vector<std::int64_t> counts{
        1, 2, prime, tile_rows - 1, tile_rows, tile_rows + 1, 8 * tile_rows + 5, rows};
    if (whole) counts = {1, 2, prime, 7, std::max<std::int64_t>(rows / rows_multiple, 1)};
    for (auto n : counts) add(n, "normal", as_it_is);
    add(prime, "zeros", [](at::Tensor& x) { x.zero_(); });
    add(prime, "offset", [](at::Tensor& x) { x.mul_(0.1).add_(100); });
    add(prime, "scale 1e-20", [](at::Tensor& x) { x.mul_(1e-20); });
    add(prime, "scale 1e15", [](at::Tensor& x) { x.mul_(1e15); });
    const auto spoil = [](float value) {
        return [value](at::Tensor& x) {
            x.mutable_data_ptr<float>()[x.numel() / x.size(0) / 2 + 1] = value;
        };
    };
    add(prime, "one NaN", spoil(std::numeric_limits<float>::quiet_NaN()));
    add(prime, "one infinity", spoil(std::numeric_limits<float>::infinity()));
    return all;
}

std::vector<at::Tensor> trial_parameters(const graph::ProgramPtr& branch) {
    graph::TensorStore store({kSeed, true});
    value_or_throw(store.add(*branch, "branch"));
    auto random = at::detail::createCPUGenerator(kSeed + 1);
    std::vector<at::Tensor> all;
    for (const auto& p : branch->parameters()) {
        auto value = value_or_throw(store.find(p.name)).detach().clone(at::MemoryFormat::Preserve);
        value.add_(at::randn(value.sizes(), random), 0.1);
        all.push_back(std::move(value));
    }
    return all;
}

}  // namespace esper::urabrask
