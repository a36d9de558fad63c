#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <array>
#include <cmath>
#include <numbers>

#include "esper/base/random.h"
#include "esper/engine/operators/operator_library.h"

namespace esper::graph {

namespace {

using Words = std::array<std::uint32_t, 4>;

// Fills a tensor shaped like `like` with make(word, next word), a pure function of (purpose, site,
// step, element index), so that a resumed run draws the same numbers.
template <typename Make>
at::Tensor draw(const at::Tensor& like, std::uint32_t purpose, std::int64_t site,
                const at::Tensor& step, Make make) {
    auto values = at::empty({like.numel()}, at::kFloat);
    const auto at_step = static_cast<std::uint64_t>(step.item<std::int64_t>());
    const std::array<std::uint32_t, 2> key{purpose, static_cast<std::uint32_t>(site)};
    auto* out = values.mutable_data_ptr<float>();
    const std::int64_t n = values.numel();
    for (std::int64_t i = 0; i < n; i += 4) {
        const Words words = philox4x32(
            {static_cast<std::uint32_t>(i / 4), static_cast<std::uint32_t>((i / 4) >> 32),
             static_cast<std::uint32_t>(at_step), static_cast<std::uint32_t>(at_step >> 32)},
            key);
        for (std::int64_t j = 0; j < 4 && i + j < n; ++j)
            out[i + j] = make(words, static_cast<std::size_t>(j));
    }
    auto result = at::empty_like(like, at::MemoryFormat::Contiguous);
    return result.copy_(values.view(result.sizes()));
}

std::uint32_t threshold(double p) { return static_cast<std::uint32_t>(p * 4294967295.0); }

// Inverted dropout's mask: 1/(1-p) with probability 1-p, else 0.
at::Tensor dropout_mask(const at::Tensor& like, double p, std::int64_t site, const at::Tensor& step,
                        bool training) {
    if (!training) return at::empty_like(like, at::MemoryFormat::Contiguous).fill_(1.0);
    const auto below = threshold(p);
    const auto scale = static_cast<float>(1.0 / (1.0 - p));
    return draw(like, 0x64726f70U, site, step,
                [&](const Words& words, std::size_t j) { return words[j] < below ? 0.0F : scale; });
}

// 1 with probability p, else 0; in evaluation p itself, so that x·bernoulli(p)/p becomes x.
at::Tensor bernoulli(const at::Tensor& like, double p, std::int64_t site, const at::Tensor& step,
                     bool training) {
    if (!training) return at::empty_like(like, at::MemoryFormat::Contiguous).fill_(p);
    const auto below = threshold(p);
    return draw(like, 0x6265726eU, site, step, [&](const Words& words, std::size_t j) {
        return words[j] < below || p >= 1 ? 1.0F : 0.0F;
    });
}

float unit(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24F; }

// [0, 1).
at::Tensor uniform(const at::Tensor& like, std::int64_t site, const at::Tensor& step) {
    return draw(like, 0x756e6966U, site, step,
                [](const Words& words, std::size_t j) { return unit(words[j]); });
}

// Mean 0, deviation 1, by Box and Muller.
at::Tensor normal(const at::Tensor& like, std::int64_t site, const at::Tensor& step) {
    return draw(like, 0x6e6f726dU, site, step, [](const Words& words, std::size_t j) {
        const float radius = std::sqrt(-2.0F * std::log(1.0F - unit(words[j & 2U])));
        const float angle = 2.0F * std::numbers::pi_v<float> * unit(words[(j & 2U) + 1]);
        return radius * (j % 2 == 0 ? std::cos(angle) : std::sin(angle));
    });
}

at::Tensor shape_of_mask(const at::Tensor& like, double, std::int64_t, const at::Tensor&, bool) {
    return at::empty_like(like, at::MemoryFormat::Contiguous);
}
at::Tensor shape_of_draw(const at::Tensor& like, std::int64_t, const at::Tensor&) {
    return at::empty_like(like, at::MemoryFormat::Contiguous);
}

}  // namespace

void define_counter_random(torch::Library& library) {
    library.def("dropout_mask(Tensor like, float p, int site, Tensor step, bool train) -> Tensor");
    library.def("bernoulli(Tensor like, float p, int site, Tensor step, bool train) -> Tensor");
    library.def("uniform(Tensor like, int site, Tensor step) -> Tensor");
    library.def("normal(Tensor like, int site, Tensor step) -> Tensor");
}

void implement_counter_random(torch::Library& cpu, torch::Library& meta, torch::Library& autograd) {
    cpu.impl("dropout_mask", &dropout_mask);
    cpu.impl("bernoulli", &bernoulli);
    cpu.impl("uniform", &uniform);
    cpu.impl("normal", &normal);
    meta.impl("dropout_mask", &shape_of_mask);
    meta.impl("bernoulli", &shape_of_mask);
    meta.impl("uniform", &shape_of_draw);
    meta.impl("normal", &shape_of_draw);
    // Random numbers have no gradient; without this, autograd would warn at each backward pass.
    for (const auto* name : {"dropout_mask", "bernoulli", "uniform", "normal"})
        autograd.impl(name, torch::CppFunction::makeFallthrough());
}

}  // namespace esper::graph
