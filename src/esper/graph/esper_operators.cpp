#include <ATen/core/Tensor.h>
#include <ATen/ops/alias.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <mutex>

#include "esper/base/random.h"
#include "esper/graph/operator_library.h"

namespace esper::graph {

namespace {

struct StraightThrough : torch::autograd::Function<StraightThrough> {
    static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& y,
                              const at::Tensor&) {
        at::AutoDispatchBelowADInplaceOrView guard;
        return at::alias(y);
    }
    static torch::autograd::tensor_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::tensor_list gradients) {
        return {gradients[0], gradients[0]};
    }
};

// y passes; its gradient goes to y and to s alike.
at::Tensor straight_through(const at::Tensor& y, const at::Tensor& s) {
    return StraightThrough::apply(y, s);
}

// Inverted dropout's mask: 1/(1-p) with probability 1-p, else 0, a pure function of (site, step,
// element index), so that a resumed run draws the same masks.
at::Tensor dropout_mask(const at::Tensor& like, double p, std::int64_t site, const at::Tensor& step,
                        bool training) {
    auto mask = at::empty_like(like, at::MemoryFormat::Contiguous);
    if (!training) return mask.fill_(1.0);
    auto values = at::empty({like.numel()}, at::kFloat);
    const auto at_step = static_cast<std::uint64_t>(step.item<std::int64_t>());
    auto* out = values.mutable_data_ptr<float>();
    const auto threshold = static_cast<std::uint32_t>(p * 4294967295.0);
    const auto scale = static_cast<float>(1.0 / (1.0 - p));
    const std::array<std::uint32_t, 2> key{0x64726f70U, static_cast<std::uint32_t>(site)};
    const std::int64_t n = values.numel();
    for (std::int64_t i = 0; i < n; i += 4) {
        auto words = philox4x32(
            {static_cast<std::uint32_t>(i / 4), static_cast<std::uint32_t>((i / 4) >> 32),
             static_cast<std::uint32_t>(at_step), static_cast<std::uint32_t>(at_step >> 32)},
            key);
        for (std::int64_t j = 0; j < 4 && i + j < n; ++j)
            out[i + j] = words[static_cast<std::size_t>(j)] < threshold ? 0.0F : scale;
    }
    return mask.copy_(values.view(mask.sizes()));
}

at::Tensor dropout_mask_meta(const at::Tensor& like, double, std::int64_t, const at::Tensor&,
                             bool) {
    return at::empty_like(like, at::MemoryFormat::Contiguous);
}

}  // namespace

void register_esper_operators() {
    static std::once_flag once;
    std::call_once(once, [] {
        static torch::Library definitions(torch::Library::DEF, "esper", std::nullopt, __FILE__,
                                          __LINE__);
        definitions.def("straight_through(Tensor(a) y, Tensor s) -> Tensor(a)", &straight_through);
        definitions.def(
            "dropout_mask(Tensor like, float p, int site, Tensor step, bool train) -> Tensor");
        static torch::Library cpu(torch::Library::IMPL, "esper",
                                  std::make_optional(c10::DispatchKey::CPU), __FILE__, __LINE__);
        cpu.impl("dropout_mask", &dropout_mask);
        static torch::Library meta(torch::Library::IMPL, "esper",
                                   std::make_optional(c10::DispatchKey::Meta), __FILE__, __LINE__);
        meta.impl("dropout_mask", &dropout_mask_meta);
        // A mask has no gradient; without this, autograd would warn at each backward.
        static torch::Library autograd(torch::Library::IMPL, "esper",
                                       std::make_optional(c10::DispatchKey::Autograd), __FILE__,
                                       __LINE__);
        autograd.impl("dropout_mask", torch::CppFunction::makeFallthrough());
    });
}

}  // namespace esper::graph
