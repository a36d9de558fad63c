#include "esper/services/tolaria/grow/readout_moments.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "esper/program/edits/seed_names.h"

namespace esper::tolaria {

namespace {

constexpr double kRidge = 1e-3;
constexpr std::int64_t kMostPlaces = 16;     // of an image
constexpr std::int64_t kMostPositions = 32;  // of a text

at::Tensor ridge_solve(const at::Tensor& a, const at::Tensor& b) {
    const auto d = a.size(0);
    const double ridge = kRidge * a.trace().item<double>() / static_cast<double>(d) + 1e-12;
    return at::cholesky_solve(b, at::linalg_cholesky(a + at::eye(d, a.options()) * ridge));
}

const std::vector<std::int64_t>* numbers(const graph::Argument& argument) {
    const auto* constant = std::get_if<graph::Constant>(&argument);
    return constant != nullptr ? std::get_if<std::vector<std::int64_t>>(constant) : nullptr;
}

// [N, places, features].
at::Tensor by_place(const at::Tensor& t) {
    auto x = t.dim() == 4 ? t.permute({0, 2, 3, 1}) : t;
    return x.reshape({x.size(0), -1, x.size(-1)});
}

}  // namespace

void ReadoutMoments::add(const Rows& rows) {
    auto sum = [](at::Tensor& into, const at::Tensor& part) {
        into = into.defined() ? into + part : part;
    };
    sum(hh_, rows.h.t().mm(rows.h));
    sum(hg_, rows.h.t().mm(rows.g));
    y_squares_ += rows.y.square().sum().item<double>();
    y_count_ += static_cast<double>(rows.y.numel());
    n_ += rows.h.size(0);
    if (!rows.x.defined()) return;
    sum(xx_, rows.x.t().mm(rows.x));
    sum(xg_, rows.x.t().mm(rows.g));
    sum(xh_, rows.x.t().mm(rows.h));
}

ReadoutMoments::Readout ReadoutMoments::solve(std::int64_t passes) const {
    auto target = hg_;
    if (xx_.defined()) target = hg_ - xh_.t().mm(ridge_solve(xx_, xg_));
    auto w = ridge_solve(hh_, target);
    const double size = std::sqrt(at::trace(w.t().mm(hh_).mm(w)).item<double>() /
                                  static_cast<double>(n_ * w.size(1)));
    const double wanted = std::sqrt(y_squares_ / y_count_);
    w = size > 0 && std::isfinite(size) ? w * (wanted / size) : at::zeros_like(w);
    const double saved = at::trace(w.t().mm(target)).item<double>();
    return {w.t(), saved / static_cast<double>(passes)};
}

std::optional<HostLayer> HostLayer::find(const graph::Program& program,
                                         const graph::Anchor& anchor) {
    if (!anchor.layer_input) return std::nullopt;
    for (const auto& item : program.instructions()) {
        const bool convolution = item.op == "aten::conv2d";
        if ((!convolution && item.op != "aten::linear") ||
            item.scope.starts_with(graph::kSeedScopes))
            continue;
        const auto* x = std::get_if<graph::ValueId>(&item.args.at(0));
        if (x == nullptr || *x != *anchor.layer_input) continue;
        HostLayer layer;
        layer.convolution_ = convolution;
        if (!convolution) return layer;
        const auto* weight = std::get_if<graph::ValueId>(&item.args.at(1));
        for (const auto& p : program.parameters())
            if (weight != nullptr && p.value == *weight)
                layer.kernel_ = {p.type.shape.at(2), p.type.shape.at(3)};
        const auto* stride = numbers(item.args.at(3));
        const auto* padding = numbers(item.args.at(4));
        const auto* dilation = numbers(item.args.at(5));
        if (layer.kernel_.empty() || stride == nullptr || padding == nullptr || dilation == nullptr)
            return std::nullopt;
        layer.stride_ = *stride;
        layer.padding_ = *padding;
        layer.dilation_ = *dilation;
        return layer;
    }
    return std::nullopt;
}

at::Tensor HostLayer::rows(const at::Tensor& x, std::int64_t places,
                           const at::Tensor& picked) const {
    if (!x.is_floating_point()) return {};
    at::Tensor at_places;  // [N, places, features]
    if (convolution_) {
        at_places =
            at::im2col(x.to(at::kFloat), kernel_, dilation_, padding_, stride_).transpose(1, 2);
    } else {
        at_places = by_place(x);
    }
    if (at_places.size(1) != places) return {};
    auto rows = at_places.index_select(1, picked).to(at::kDouble);
    rows = rows.reshape({-1, rows.size(-1)});
    return at::cat({rows, at::ones({rows.size(0), 1}, rows.options())}, 1);
}

std::int64_t places_of(const at::Tensor& value) {
    return value.dim() == 4 ? value.size(2) * value.size(3)
                            : (value.dim() == 3 ? value.size(1) : 1);
}

std::int64_t picked_of_image(std::int64_t height, std::int64_t width) {
    return std::min(height, kMostPlaces / 4) * std::min<std::int64_t>(width, 4);
}

std::int64_t picked_of_text(std::int64_t positions) { return std::min(positions, kMostPositions); }

at::Tensor picked_places(const at::Tensor& value) {
    std::vector<std::int64_t> picked;
    // The middles of equal stretches, along each dimension.
    auto middles = [](std::int64_t size, std::int64_t most) {
        std::vector<std::int64_t> at;
        const auto n = std::min(size, most);
        for (std::int64_t i = 0; i < n; ++i) at.push_back((2 * i + 1) * size / (2 * n));
        return at;
    };
    if (value.dim() == 4) {
        const auto columns = middles(value.size(3), 4);
        for (auto row : middles(value.size(2), kMostPlaces / 4))
            for (auto column : columns) picked.push_back(row * value.size(3) + column);
    } else {
        picked = middles(places_of(value), kMostPositions);
    }
    return at::tensor(picked, at::kLong);
}

at::Tensor rows_of(const at::Tensor& value, const at::Tensor& picked) {
    auto rows = by_place(value).index_select(1, picked).to(at::kDouble);
    return rows.reshape({-1, rows.size(-1)});
}

}  // namespace esper::tolaria
