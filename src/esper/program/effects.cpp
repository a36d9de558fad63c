#include "esper/program/effects.h"

#include <algorithm>
#include <array>

namespace esper::graph {
namespace {

// Each list is sorted: looked up by binary search.
constexpr auto kSharing = std::to_array<std::string_view>({
    "aten::_conj",
    "aten::_neg_view",
    "aten::_reshape_alias",
    "aten::adjoint",
    "aten::alias",
    "aten::alpha_dropout",
    "aten::as_strided",
    "aten::atleast_1d",
    "aten::atleast_2d",
    "aten::atleast_3d",
    "aten::broadcast_to",
    "aten::chunk",
    "aten::conj",
    "aten::contiguous",
    "aten::detach",
    "aten::diagonal",
    "aten::dropout",
    "aten::dsplit",
    "aten::expand",
    "aten::expand_as",
    "aten::feature_alpha_dropout",
    "aten::feature_dropout",
    "aten::flatten",
    "aten::hsplit",
    "aten::imag",
    "aten::lift_fresh",
    "aten::linalg_diagonal",
    "aten::mH",
    "aten::mT",
    "aten::matrix_H",
    "aten::moveaxis",
    "aten::movedim",
    "aten::narrow",
    "aten::numpy_T",
    "aten::permute",
    "aten::ravel",
    "aten::real",
    "aten::reshape",
    "aten::reshape_as",
    "aten::resolve_conj",
    "aten::resolve_neg",
    "aten::select",
    "aten::slice",
    "aten::split",
    "aten::split_with_sizes",
    "aten::squeeze",
    "aten::swapaxes",
    "aten::swapdims",
    "aten::t",
    "aten::tensor_split",
    "aten::to",
    "aten::transpose",
    "aten::type_as",
    "aten::unbind",
    "aten::unflatten",
    "aten::unfold",
    "aten::unsafe_chunk",
    "aten::unsqueeze",
    "aten::view",
    "aten::view_as",
    "aten::view_as_complex",
    "aten::view_as_real",
    "aten::vsplit",
    "esper::straight_through",
});

constexpr auto kRandom = std::to_array<std::string_view>({
    "aten::_fused_dropout",
    "aten::alpha_dropout",
    "aten::alpha_dropout_",
    "aten::bernoulli",
    "aten::bernoulli_",
    "aten::binomial",
    "aten::cauchy_",
    "aten::dropout",
    "aten::dropout_",
    "aten::exponential_",
    "aten::feature_alpha_dropout",
    "aten::feature_alpha_dropout_",
    "aten::feature_dropout",
    "aten::feature_dropout_",
    "aten::geometric_",
    "aten::log_normal_",
    "aten::multinomial",
    "aten::native_dropout",
    "aten::normal",
    "aten::normal_",
    "aten::poisson",
    "aten::rand",
    "aten::rand_like",
    "aten::randint",
    "aten::randint_like",
    "aten::randn",
    "aten::randn_like",
    "aten::random_",
    "aten::randperm",
    "aten::rrelu",
    "aten::rrelu_",
    "aten::rrelu_with_noise",
    "aten::rrelu_with_noise_",
    "aten::uniform_",
});

// (input, weight, bias, running_mean, running_var, training, …)
constexpr auto kRunningStatistics = std::to_array<std::string_view>({
    "aten::_native_batch_norm_legit",
    "aten::batch_norm",
    "aten::cudnn_batch_norm",
    "aten::instance_norm",
    "aten::miopen_batch_norm",
    "aten::native_batch_norm",
});

static_assert(std::is_sorted(kSharing.begin(), kSharing.end()));
static_assert(std::is_sorted(kRandom.begin(), kRandom.end()));
static_assert(std::is_sorted(kRunningStatistics.begin(), kRunningStatistics.end()));

std::string_view without_overload(std::string_view op) { return op.substr(0, op.find('.')); }

bool is_constant(const Argument& argument, const Constant& expected) {
    const auto* constant = std::get_if<Constant>(&argument);
    return constant && *constant == expected;
}

}  // namespace

std::vector<std::size_t> written_arguments(const Instruction& instruction) {
    const std::string_view op = instruction.op;
    const std::string_view name = without_overload(op);
    std::vector<std::size_t> written;
    if (is_in_place(op) && !instruction.args.empty()) written.push_back(0);
    if ((op.ends_with(".out") || op.ends_with("_out")) && !instruction.args.empty()) {
        const std::size_t outputs = std::max<std::size_t>(instruction.results.size(), 1);
        const std::size_t count = std::min(outputs, instruction.args.size());
        for (std::size_t i = 0; i < count; ++i)
            written.push_back(instruction.args.size() - count + i);
    }
    if (std::binary_search(kRunningStatistics.begin(), kRunningStatistics.end(), name) &&
        instruction.args.size() > 5 && !is_constant(instruction.args[5], Constant{false})) {
        written.push_back(3);
        written.push_back(4);
    }
    return written;
}

bool results_share_first_argument(const Instruction& instruction) {
    return is_in_place(instruction.op) ||
           std::binary_search(kSharing.begin(), kSharing.end(), without_overload(instruction.op));
}

bool draws_random_numbers(const Instruction& instruction) {
    const std::string_view name = without_overload(instruction.op);
    // Its fifth argument is the dropout probability.
    if (name == "aten::scaled_dot_product_attention") {
        return instruction.args.size() > 4 && !is_constant(instruction.args[4], Constant{0.0});
    }
    return std::binary_search(kRandom.begin(), kRandom.end(), name);
}

}  // namespace esper::graph
