#include "esper/engine/operators/branch_kernel_operators.h"

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <mutex>
#include <type_traits>
#include <vector>

namespace esper::graph {

namespace {

struct Numbered {
    std::mutex mutex;
    std::vector<std::weak_ptr<const BranchKernel>> kernels;
};
Numbered& numbered() {
    static Numbered all;
    return all;
}

BranchKernelPtr kernel_of(std::int64_t number) {
    auto& all = numbered();
    const std::lock_guard lock(all.mutex);
    TORCH_CHECK(number >= 0 && number < static_cast<std::int64_t>(all.kernels.size()),
                "there is no kernel ", number);
    auto kernel = all.kernels[static_cast<std::size_t>(number)].lock();
    TORCH_CHECK(kernel, "kernel ", number, " is no longer loaded");
    return kernel;
}

template <typename T>
T result_of(const BranchKernel& kernel, Result<T> made) {
    if (!made) kernel.failed = true, kernel.fault = made.error().message();
    TORCH_CHECK(made, made.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*made);
}

std::tuple<at::Tensor, at::Tensor> forward(const at::Tensor& x, at::TensorList parameters,
                                           std::int64_t number) {
    const auto kernel = kernel_of(number);
    auto made = result_of(*kernel, run_forward(*kernel, x.to(at::kFloat), parameters.vec(), 1, 0));
    return {std::move(made.y), std::move(made.saved)};
}

std::vector<at::Tensor> backward(const at::Tensor& gradient, const at::Tensor& x,
                                 at::TensorList parameters, const at::Tensor& saved, bool want_dx,
                                 std::int64_t number) {
    const auto kernel = kernel_of(number);
    const auto features = x.to(at::kFloat);
    const auto all = parameters.vec();
    auto made =
        result_of(*kernel, run_backward(*kernel, gradient, features, all, saved, 1, 0, want_dx));
    if (kernel->watch)
        result_of(*kernel, kernel->watch->examine(*kernel, {features, gradient, all, made}));
    if (want_dx && x.scalar_type() != at::kFloat) made[0] = made[0].to(x.scalar_type());
    return made;
}

struct BranchFunction : torch::autograd::Function<BranchFunction> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                              at::TensorList parameters, std::int64_t number) {
        const at::AutoDispatchBelowADInplaceOrView guard;
        static const auto op = c10::Dispatcher::singleton()
                                   .findSchemaOrThrow("esper::branch_kernel_forward", "")
                                   .typed<std::tuple<at::Tensor, at::Tensor>(
                                       const at::Tensor&, at::TensorList, std::int64_t)>();
        auto [y, saved] = op.call(x, parameters, number);
        std::vector<at::Tensor> kept{x, saved};
        kept.insert(kept.end(), parameters.begin(), parameters.end());
        context->save_for_backward(std::move(kept));
        context->saved_data["kernel"] = number;
        return y;
    }

    static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::tensor_list gradients) {
        const auto kept = context->get_saved_variables();
        const std::vector<at::Tensor> parameters(kept.begin() + 2, kept.end());
        static const auto op =
            c10::Dispatcher::singleton()
                .findSchemaOrThrow("esper::branch_kernel_backward", "")
                .typed<std::vector<at::Tensor>(const at::Tensor&, const at::Tensor&, at::TensorList,
                                               const at::Tensor&, bool, std::int64_t)>();
        auto made = op.call(gradients[0], kept[0], parameters, kept[1],
                            context->needs_input_grad(0), context->saved_data["kernel"].toInt());
        made.emplace_back();  // the kernel's number has no gradient
        return made;
    }
};

at::Tensor branch_kernel(const at::Tensor& x, at::TensorList parameters, std::int64_t number) {
    return BranchFunction::apply(x, parameters, number);
}

}  // namespace

std::int64_t number_of_kernel(const BranchKernelPtr& kernel) {
    auto& all = numbered();
    const std::lock_guard lock(all.mutex);
    for (std::size_t i = 0; i < all.kernels.size(); ++i)
        if (all.kernels[i].lock() == kernel) return static_cast<std::int64_t>(i);
    all.kernels.push_back(kernel);
    return static_cast<std::int64_t>(all.kernels.size()) - 1;
}

void define_branch_kernels(torch::Library& library) {
    library.def("branch_kernel(Tensor x, Tensor[] parameters, int kernel) -> Tensor",
                &branch_kernel);
    library.def(
        "branch_kernel_forward(Tensor x, Tensor[] parameters, int kernel) -> (Tensor, Tensor)");
    library.def(
        "branch_kernel_backward(Tensor gradient, Tensor x, Tensor[] parameters, Tensor saved, bool "
        "want_dx, int kernel) -> Tensor[]");
}

void implement_branch_kernels(torch::Library& cpu) {
    cpu.impl("branch_kernel_forward", &forward);
    cpu.impl("branch_kernel_backward", &backward);
}

}  // namespace esper::graph
