#include "esper/graph/cost_rules.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "esper/graph/cost_formulas.h"

namespace esper::graph {

namespace {

using namespace cost_rules;

struct Registry {
    std::shared_mutex mutex;
    std::map<std::string, CostRule, std::less<>> rules{
        // Linear maps.
        {"aten::linear", linear},
        {"aten::mm", matrix_product},
        {"aten::bmm", matrix_product},
        {"aten::matmul", matrix_product},
        {"aten::addmm", added_matrix_product},
        {"aten::baddbmm", added_matrix_product},
        {"aten::conv1d", convolution},
        {"aten::conv2d", convolution},
        {"aten::conv2d.padding", convolution},
        {"aten::conv3d", convolution},
        {"aten::convolution", convolution},
        {"aten::conv_transpose1d", transposed_convolution},
        {"aten::conv_transpose2d.input", transposed_convolution},
        {"aten::scaled_dot_product_attention", attention},
        {"aten::embedding", embedding},
        // Norms and softmax.
        {"aten::batch_norm", batch_norm},
        {"aten::group_norm", group_norm},
        {"aten::layer_norm", layer_norm},
        {"aten::rms_norm", rms_norm},
        {"aten::softmax.int", softmax},
        {"aten::log_softmax.int", softmax},
        {"aten::cross_entropy_loss", cross_entropy},
        // Element by element, two tensors.
        {"aten::add.Tensor", sum_of_two},
        {"aten::sub.Tensor", sum_of_two},
        {"aten::mul.Tensor", product_of_two},
        {"aten::div.Tensor", quotient_of_two},
        {"aten::addcmul", added_product},
        {"aten::maximum", product_of_two},
        {"aten::minimum", product_of_two},
        {"aten::where.self", free},
        // Element by element, one tensor.
        {"aten::abs", unary},
        {"aten::add.Scalar", shifted},
        {"aten::sub.Scalar", shifted},
        {"aten::rsub.Scalar", shifted},
        {"aten::celu", unary},
        {"aten::clamp", unary},
        {"aten::cos", unary},
        {"aten::div.Scalar", unary},
        {"aten::dropout", unary},
        {"aten::elu", unary},
        {"aten::erf", unary},
        {"aten::exp", unary},
        {"aten::gelu", unary},
        {"aten::hardsigmoid", unary},
        {"aten::hardswish", unary},
        {"aten::hardtanh", unary},
        {"aten::leaky_relu", unary},
        {"aten::log", unary},
        {"aten::mish", unary},
        {"aten::mul.Scalar", unary},
        {"aten::neg", unary},
        {"aten::pow.Tensor_Scalar", unary},
        {"aten::reciprocal", unary},
        {"aten::relu", unary},
        {"aten::relu6", unary},
        {"aten::rsqrt", unary},
        {"aten::sigmoid", unary},
        {"aten::silu", unary},
        {"aten::sin", unary},
        {"aten::softplus", unary},
        {"aten::sqrt", unary},
        {"aten::square", unary},
        {"aten::tanh", unary},
        {"aten::eq.Tensor", no_gradient},
        {"aten::ge.Scalar", no_gradient},
        {"aten::gt.Scalar", no_gradient},
        {"aten::le.Scalar", no_gradient},
        {"aten::lt.Scalar", no_gradient},
        {"aten::ne.Scalar", no_gradient},
        {"esper::dropout_mask", no_gradient},
        // Reductions and pooling.
        {"aten::sum", sum},
        {"aten::sum.dim_IntList", sum},
        {"aten::mean", mean},
        {"aten::mean.dim", mean},
        {"aten::adaptive_avg_pool2d", mean},
        {"aten::amax", extreme},
        {"aten::amin", extreme},
        {"aten::argmax", picked},
        {"aten::argmin", picked},
        {"aten::avg_pool2d", average_pool},
        {"aten::max_pool2d", max_pool},
        {"aten::max_pool2d_with_indices", max_pool},
        // Data that only moves. Repeating a value costs the addition of its gradients.
        {"aten::expand", repeated},
        {"aten::broadcast_to", repeated},
        {"aten::expand_as", repeated},
        {"aten::repeat", repeated},
        {"aten::upsample_nearest2d", repeated},
        {"aten::upsample_nearest2d.vec", repeated},
        {"aten::_to_copy", free},
        {"aten::alias", free},
        {"aten::arange", free},
        {"aten::cat", free},
        {"aten::clone", free},
        {"aten::constant_pad_nd", free},
        {"aten::contiguous", free},
        {"aten::detach", free},
        {"aten::flatten.using_ints", free},
        {"aten::narrow", free},
        {"aten::pad", free},
        {"aten::permute", free},
        {"aten::pixel_shuffle", free},
        {"aten::reshape", free},
        {"aten::reshape_as", free},
        {"aten::select.int", free},
        {"aten::slice.Tensor", free},
        {"aten::movedim.int", free},
        {"aten::squeeze", free},
        {"aten::squeeze.dim", free},
        {"aten::stack", free},
        {"aten::t", free},
        {"aten::to.dtype", free},
        {"aten::transpose.int", free},
        {"aten::unflatten.int", free},
        {"aten::unsqueeze", free},
        {"aten::view", free},
        {"aten::view_as", free},
        {"aten::zeros_like", free},
        {"esper::straight_through", free},
    };
};

Registry& registry() {
    static Registry instance;
    return instance;
}

/// `aten::add_.Tensor` → `aten::add.Tensor`.
std::string pure_twin(std::string_view op) {
    std::string name(op);
    auto dot = std::min(name.find('.'), name.size());
    name.erase(dot - 1, 1);
    return name;
}

}  // namespace

CostRule find_cost_rule(std::string_view op) {
    auto& r = registry();
    std::shared_lock lock(r.mutex);
    auto found = r.rules.find(op);
    if (found == r.rules.end() && is_in_place(op)) found = r.rules.find(pure_twin(op));
    return found == r.rules.end() ? nullptr : found->second;
}

void register_cost_rule(std::string op, CostRule rule) {
    auto& r = registry();
    std::unique_lock lock(r.mutex);
    r.rules.insert_or_assign(std::move(op), rule);
}

std::vector<std::string> operators_with_cost_rule() {
    auto& r = registry();
    std::shared_lock lock(r.mutex);
    std::vector<std::string> names;
    for (const auto& [name, rule] : r.rules) names.push_back(name);
    return names;
}

}  // namespace esper::graph
