#include <algorithm>
#include <array>
#include <string_view>

#include "esper/program/operators.h"

namespace esper::graph {

namespace {

// Pure tensor functions whose result shapes follow from argument shapes. Sorted.
constexpr std::array<std::string_view, 60> kAllowed = {
    "aten::adaptive_avg_pool2d",
    "aten::add.Scalar",
    "aten::add.Tensor",
    "aten::addcmul",
    "aten::addmm",
    "aten::amax",
    "aten::amin",
    "aten::avg_pool2d",
    "aten::bmm",
    "aten::cat",
    "aten::clamp",
    "aten::constant_pad_nd",
    "aten::contiguous",
    "aten::conv1d",
    "aten::conv2d",
    "aten::detach",
    "aten::div.Scalar",
    "aten::div.Tensor",
    "aten::elu",
    "aten::expand",
    "aten::expand_as",
    "aten::flatten.using_ints",
    "aten::gelu",
    "aten::group_norm",
    "aten::hardswish",
    "aten::layer_norm",
    "aten::leaky_relu",
    "aten::linear",
    "aten::matmul",
    "aten::max_pool2d",
    "aten::mean.dim",
    "aten::mish",
    "aten::mm",
    "aten::mul.Scalar",
    "aten::mul.Tensor",
    "aten::narrow",
    "aten::neg",
    "aten::permute",
    "aten::pow.Tensor_Scalar",
    "aten::relu",
    "aten::reshape",
    "aten::rms_norm",
    "aten::rsqrt",
    "aten::scaled_dot_product_attention",
    "aten::select.int",
    "aten::sigmoid",
    "aten::silu",
    "aten::sin",
    "aten::slice.Tensor",
    "aten::softmax.int",
    "aten::sub.Tensor",
    "aten::sum.dim_IntList",
    "aten::tanh",
    "aten::transpose.int",
    "aten::unflatten.int",
    "aten::unsqueeze",
    "aten::upsample_nearest2d",
    "aten::view",
    "esper::dropout_mask",
    "esper::straight_through",
};

}  // namespace

Status validate_blueprint_operators(const Program& program) {
    for (const auto& instruction : program.instructions())
        if (!std::binary_search(kAllowed.begin(), kAllowed.end(), instruction.op))
            return fail(GraphError::kForbiddenOperator,
                        "blueprint '" + program.name() + "' uses " + instruction.op +
                            ", which is not on the list of operators a blueprint may use "
                            "(blueprint_operators.cpp)");
    return {};
}

}  // namespace esper::graph
