#include <ATen/core/Tensor.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/alias.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/div.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <mutex>

#include "esper/engine/operators/branch_kernel_operators.h"
#include "esper/engine/operators/fused_operators.h"
#include "esper/engine/operators/operator_library.h"

namespace esper::graph {

namespace {

// With this join the loss is linear in s and has no minimum, so s would grow without limit. A pull
// towards zero, as strong as the gradient when s is as large as y, turns it into the least-squares
// fit of s to −∂L/∂y at y's scale.
struct StraightThrough : torch::autograd::Function<StraightThrough> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& y,
                              const at::Tensor& s) {
        context->save_for_backward({y, s});
        at::AutoDispatchBelowADInplaceOrView guard;
        return at::alias(y);
    }
    static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::tensor_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto& gradient = gradients[0];
        const auto pull = at::div(size_of(gradient), size_of(saved[0]).clamp_min(kLeastSize));
        return {gradient, at::addcmul(gradient, saved[1], pull)};
    }

  private:
    static constexpr double kLeastSize = 1e-12;
    static at::Tensor size_of(const at::Tensor& t) {
        return at::linalg_vector_norm(t, 2, std::nullopt, false, at::kFloat);
    }
};

// Returns y. Its gradient goes to y unchanged and, plus the pull, to s.
at::Tensor straight_through(const at::Tensor& y, const at::Tensor& s) {
    return StraightThrough::apply(y, s);
}

}  // namespace

void register_esper_operators() {
    static std::once_flag once;
    std::call_once(once, [] {
        static torch::Library definitions(torch::Library::DEF, "esper", std::nullopt, __FILE__,
                                          __LINE__);
        definitions.def("straight_through(Tensor(a) y, Tensor s) -> Tensor(a)", &straight_through);
        define_counter_random(definitions);
        define_size_operators(definitions);
        define_branch_kernels(definitions);
        static torch::Library cpu(torch::Library::IMPL, "esper",
                                  std::make_optional(c10::DispatchKey::CPU), __FILE__, __LINE__);
        static torch::Library meta(torch::Library::IMPL, "esper",
                                   std::make_optional(c10::DispatchKey::Meta), __FILE__, __LINE__);
        static torch::Library autograd(torch::Library::IMPL, "esper",
                                       std::make_optional(c10::DispatchKey::Autograd), __FILE__,
                                       __LINE__);
        implement_counter_random(cpu, meta, autograd);
        implement_branch_kernels(cpu);
        kernels::register_fused_operators();
    });
}

}  // namespace esper::graph
