// Shapes of results where libtorch itself has no meta kernel (PyTorch has them in Python). Each
// takes the arguments of its operator and gives tensors of the right type without memory.

#include <ATen/ExpandUtils.h>
#include <ATen/TensorUtils.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/WrapDimUtilsMulti.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/result_type.h>

#include "esper/engine/shapes/convolution_shapes.h"
#include "esper/engine/shapes/looking.h"

namespace esper::graph {

at::Tensor meta_tensor(at::IntArrayRef sizes, at::ScalarType dtype) {
    std::int64_t total = 1;
    for (const auto size : sizes)
        TORCH_CHECK(size >= 0 &&
                        !__builtin_mul_overflow(total, std::max<std::int64_t>(size, 1), &total) &&
                        total <= Limits::kMaxElements,
                    "a tensor of ", sizes, " has more than ", Limits::kMaxElements, " elements");
    return at::empty(sizes, at::TensorOptions(c10::Device(c10::kMeta)).dtype(dtype));
}

namespace {

using at::Tensor;
using Sizes = at::IntArrayRef;
using Shape = std::vector<std::int64_t>;
using MaybeTensor = std::optional<Tensor>;
using MaybeScalar = std::optional<at::Scalar>;

Tensor like(const Tensor& x) { return at::empty_like(x); }
Tensor like(const Tensor& x, at::ScalarType dtype) {
    return at::empty_like(x, x.options().dtype(dtype));
}
Tensor scalar_of(at::ScalarType dtype) { return meta_tensor({}, dtype); }

// Element by element.
Tensor unary(const Tensor& x) { return like(x); }
Tensor& unary_in_place(Tensor& x) { return x; }
Tensor hardtanh(const Tensor& x, const at::Scalar&, const at::Scalar&) { return like(x); }
Tensor logit(const Tensor& x, std::optional<double>) {
    return like(x, at::isIntegralType(x.scalar_type(), true) ? at::kFloat : x.scalar_type());
}
Tensor is_something(const Tensor& x) { return like(x, at::kBool); }
Tensor nan_to_num(const Tensor& x, std::optional<double>, std::optional<double>,
                  std::optional<double>) {
    return like(x);
}
Tensor& nan_to_num_in_place(Tensor& x, std::optional<double>, std::optional<double>,
                            std::optional<double>) {
    return x;
}
std::tuple<Tensor, Tensor> log_sigmoid_forward(const Tensor& x) { return {like(x), like(x)}; }
Tensor prelu_kernel(const Tensor& x, const Tensor& weight) {
    at::infer_size(x.sizes(), weight.sizes());
    return like(x);
}

Tensor pair(const Tensor& a, const Tensor& b, at::ScalarType dtype) {
    return meta_tensor(at::infer_size(a.sizes(), b.sizes()), dtype);
}
Tensor both(const Tensor& a, const Tensor& b) { return pair(a, b, at::result_type(a, b)); }
Tensor logical(const Tensor& a, const Tensor& b) { return pair(a, b, at::kBool); }
Tensor& both_out(const Tensor& a, const Tensor& b, Tensor& out) {
    out.resize_(at::infer_size(a.sizes(), b.sizes()));
    return out;
}
Tensor& into_first(Tensor& a, const Tensor& b) {
    const auto sizes = at::infer_size(a.sizes(), b.sizes());
    TORCH_CHECK(a.sizes() == Sizes(sizes), "output with shape ", a.sizes(),
                " doesn't match the broadcast shape ", Sizes(sizes));
    return a;
}
Tensor choice(const Tensor& condition, const Tensor& a, const Tensor& b) {
    const auto sizes = at::infer_size(a.sizes(), b.sizes());
    return meta_tensor(at::infer_size(condition.sizes(), sizes), at::result_type(a, b));
}
Tensor& choice_out(const Tensor& condition, const Tensor& a, const Tensor& b, Tensor& out) {
    out.resize_(choice(condition, a, b).sizes());
    return out;
}
Tensor huber_loss(const Tensor& x, const Tensor& target, std::int64_t reduction, double) {
    auto losses = both(x, target);
    return reduction == 0 ? losses : scalar_of(losses.scalar_type());
}

// Reductions.
Tensor extreme(const Tensor& x) {
    TORCH_CHECK(x.numel() > 0, "the extreme of a tensor without elements");
    return scalar_of(x.scalar_type());
}
Tensor product(const Tensor& x, std::optional<at::ScalarType> dtype) {
    const bool whole = at::isIntegralType(x.scalar_type(), true);
    return scalar_of(dtype.value_or(whole ? at::kLong : x.scalar_type()));
}
Tensor spread(const Tensor& x, at::OptionalIntArrayRef dims, const MaybeScalar&, bool keep) {
    return at::mean(x, dims, keep);
}
std::tuple<Tensor, Tensor> spread_and_mean(const Tensor& x, at::OptionalIntArrayRef dims,
                                           const MaybeScalar&, bool keep) {
    return {at::mean(x, dims, keep), at::mean(x, dims, keep)};
}
std::tuple<Tensor, Tensor> picked(const Tensor& x, std::int64_t dim, bool keep) {
    dim = at::maybe_wrap_dim(dim, x.dim());
    auto sizes = x.sizes().vec();
    if (!sizes.empty()) {
        if (keep)
            sizes[static_cast<std::size_t>(dim)] = 1;
        else
            sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(dim));
    }
    return {meta_tensor(sizes, x.scalar_type()), meta_tensor(sizes, at::kLong)};
}
Tensor dot(const Tensor& a, const Tensor& b) {
    TORCH_CHECK(a.dim() == 1 && a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type(),
                "the dot product of ", a.sizes(), " and ", b.sizes());
    return scalar_of(a.scalar_type());
}

// Normalisation and losses.
std::tuple<Tensor, Tensor, Tensor> batch_norm(const Tensor& x, const MaybeTensor& weight,
                                              const MaybeTensor& bias, const MaybeTensor& mean,
                                              const MaybeTensor& variance, bool training, double,
                                              double) {
    TORCH_CHECK(x.dim() >= 2, "batch normalisation of ", x.sizes());
    for (const auto* each : {&weight, &bias, &mean, &variance})
        TORCH_CHECK(!*each || !(*each)->defined() || (*each)->numel() == x.size(1),
                    "batch normalisation of ", x.size(1), " features with ", (*each)->numel(),
                    " weights or statistics");
    const Shape saved{training ? x.size(1) : 0};
    return {like(x), meta_tensor(saved, at::kFloat), meta_tensor(saved, at::kFloat)};
}
std::tuple<Tensor, Tensor> nll_loss2d(const Tensor& x, const Tensor& target, const MaybeTensor&,
                                      std::int64_t reduction, std::int64_t) {
    TORCH_CHECK(x.dim() == 4 && target.dim() == 3 && x.size(0) == target.size(0) &&
                    x.sizes().slice(2) == target.sizes().slice(1),
                "a loss of ", x.sizes(), " against ", target.sizes());
    auto loss =
        reduction == 0 ? meta_tensor(target.sizes(), x.scalar_type()) : scalar_of(x.scalar_type());
    return {std::move(loss), scalar_of(x.scalar_type())};
}

// What moves data. (libtorch's own repeat looks at the data of small integers.)
Tensor repeat(const Tensor& x, c10::SymIntArrayRef repeats_) {
    const auto repeats = C10_AS_INTARRAYREF_SLOW(repeats_);
    const auto fresh = static_cast<std::int64_t>(repeats.size()) - x.dim();
    TORCH_CHECK(fresh >= 0, "repeat of ", x.sizes(), " by ", repeats);
    Shape sizes(static_cast<std::size_t>(fresh), 1);
    sizes.insert(sizes.end(), x.sizes().begin(), x.sizes().end());
    for (std::size_t i = 0; i < sizes.size(); ++i)
        TORCH_CHECK(repeats[i] >= 0 && !__builtin_mul_overflow(sizes[i], repeats[i], &sizes[i]),
                    "repeat of ", x.sizes(), " by ", repeats);
    return meta_tensor(sizes, x.scalar_type());
}
Tensor flip(const Tensor& x, Sizes dims) {
    at::dim_list_to_bitset(dims, static_cast<std::size_t>(x.dim()));
    return like(x);
}
Tensor roll(const Tensor& x, Sizes shifts, Sizes dims) {
    TORCH_CHECK(
        !shifts.empty() && (dims.size() == shifts.size() || (dims.empty() && shifts.size() == 1)),
        "roll by ", shifts, " along ", dims);
    for (const auto dim : dims) at::maybe_wrap_dim(dim, x.dim());
    return like(x);
}
Tensor channel_shuffle(const Tensor& x, std::int64_t groups) {
    TORCH_CHECK(x.dim() > 2 && groups > 0 && x.size(1) % groups == 0, "shuffle of ", x.sizes(),
                " in ", groups, " groups");
    return like(x);
}
Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index) {
    dim = at::maybe_wrap_dim(dim, x.dim());
    TORCH_CHECK(index.dim() <= 1, "index_select by an index of ", index.sizes());
    TORCH_CHECK(index.scalar_type() == at::kLong || index.scalar_type() == at::kInt,
                "index_select by an index of ", index.scalar_type());
    auto sizes = x.sizes().vec();
    if (!sizes.empty()) sizes[static_cast<std::size_t>(dim)] = index.numel();
    return meta_tensor(sizes, x.scalar_type());
}
// Of zeros, nothing is picked.
Tensor masked_select(const Tensor& x, const Tensor& mask) {
    at::infer_size(x.sizes(), mask.sizes());
    return meta_tensor({0}, x.scalar_type());
}
Tensor nonzero(const Tensor& x) { return meta_tensor({0, x.dim()}, at::kLong); }
Tensor one_hot(const Tensor& x, std::int64_t classes) {
    TORCH_CHECK(x.scalar_type() == at::kLong && classes >= -1 && classes != 0, "one_hot of ",
                x.scalar_type(), " in ", classes, " classes");
    auto sizes = x.sizes().vec();
    sizes.push_back(classes < 0 ? 1 : classes);
    return meta_tensor(sizes, at::kLong);
}
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool small, bool) {
    TORCH_CHECK(boundaries.dim() == 1, "boundaries of ", boundaries.sizes());
    return like(x, small ? at::kInt : at::kLong);
}
Tensor searchsorted(const Tensor& sorted, const Tensor& x, bool small, bool,
                    std::optional<std::string_view>, const MaybeTensor&) {
    TORCH_CHECK(sorted.dim() == 1 || (sorted.dim() == x.dim() &&
                                      sorted.sizes().slice(0, sorted.sizes().size() - 1) ==
                                          x.sizes().slice(0, x.sizes().size() - 1)),
                "search for ", x.sizes(), " in ", sorted.sizes());
    return like(x, small ? at::kInt : at::kLong);
}

// The pairs (i, j) with j - i <= offset: whole rows, and rows that are cut.
std::int64_t lower_triangle(std::int64_t rows, std::int64_t columns, std::int64_t offset) {
    TORCH_CHECK(rows >= 0 && columns >= 0 && rows <= Limits::kMaxElements &&
                    columns <= Limits::kMaxElements,
                "a triangle of ", rows, " rows and ", columns, " columns");
    offset = std::clamp(offset, -rows, columns);
    const auto whole_from = std::clamp<std::int64_t>(columns - 1 - offset, 0, rows);
    const auto from = std::min(std::max<std::int64_t>(0, -offset), whole_from);
    using Wide = unsigned __int128;
    const auto cut = static_cast<Wide>(whole_from - from) *
                     static_cast<Wide>(from + whole_from + 2 * offset + 1) / 2;
    const auto all = cut + static_cast<Wide>(rows - whole_from) * static_cast<Wide>(columns);
    TORCH_CHECK(all <= static_cast<Wide>(Limits::kMaxElements), "a triangle of ", rows,
                " rows and ", columns, " columns has more than ", Limits::kMaxElements,
                " elements");
    return static_cast<std::int64_t>(all);
}
Tensor tril_indices(std::int64_t rows, std::int64_t columns, std::int64_t offset,
                    std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                    std::optional<at::Device>, std::optional<bool>) {
    return meta_tensor({2, lower_triangle(rows, columns, offset)}, dtype.value_or(at::kLong));
}

// Refusals. These operators make as many tensors, or take as many steps, as a number says.
using Stack = torch::jit::Stack;

void redispatch(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
    op.redispatchBoxed(keys & c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER,
                                                  c10::DispatchKey::TESTING_ONLY_GenericWrapper),
                       stack);
}
const c10::IValue& argument(const c10::OperatorHandle& op, const Stack& stack, std::size_t i) {
    return stack[stack.size() - op.schema().arguments().size() + i];
}
void check_count(const c10::OperatorHandle& op, std::int64_t count) {
    TORCH_CHECK(count <= static_cast<std::int64_t>(Limits::kMaxArguments), op.operator_name(),
                " would give ", count, " tensors, at most ", Limits::kMaxArguments, " are allowed");
}
std::int64_t size_along(const c10::OperatorHandle& op, const Stack& stack, std::size_t dim) {
    const auto& x = argument(op, stack, 0).toTensor();
    return x.dim() == 0 ? 1 : x.size(argument(op, stack, dim).toInt());
}
// (self, dim)
void unbind(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
    check_count(op, size_along(op, *stack, 1));
    redispatch(op, keys, stack);
}
// (self, split_size, dim)
void split(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
    const auto each = argument(op, *stack, 1).toInt();
    if (each > 0) check_count(op, size_along(op, *stack, 2) / each);
    redispatch(op, keys, stack);
}
// (self, chunks, …)
void sections(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
    check_count(op, argument(op, *stack, 1).toInt());
    redispatch(op, keys, stack);
}
// (tensors, …): as many sizes as tensors.
void grid(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
    const auto count = argument(op, *stack, 0).toTensorList().size();
    TORCH_CHECK(count <= Limits::kMaxRank, op.operator_name(), " of ", count, " tensors, at most ",
                Limits::kMaxRank, " are allowed");
    redispatch(op, keys, stack);
}
// (self, n, …): n differences, one after the other.
void differences(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
    check_count(op, argument(op, *stack, 1).toInt());
    redispatch(op, keys, stack);
}

template <typename FuncPtr>
c10::KernelFunction kernel(FuncPtr function) {
    return c10::KernelFunction::makeFromUnboxedFunction(function);
}
template <c10::KernelFunction::BoxedKernelFunction_withDispatchKeys* function>
c10::KernelFunction boxed() {
    return c10::KernelFunction::makeFromBoxedFunction<function>();
}

}  // namespace

const std::unordered_map<c10::OperatorName, c10::KernelFunction>& meta_kernels() {
    static const std::unordered_map<c10::OperatorName, c10::KernelFunction> all{
        {{"aten::relu", ""}, kernel(TORCH_FN(unary))},
        {{"aten::abs", ""}, kernel(TORCH_FN(unary))},
        {{"aten::abs_", ""}, kernel(TORCH_FN(unary_in_place))},
        {{"aten::hardswish", ""}, kernel(TORCH_FN(unary))},
        {{"aten::hardtanh", ""}, kernel(TORCH_FN(hardtanh))},
        {{"aten::logit", ""}, kernel(TORCH_FN(logit))},
        {{"aten::log_sigmoid_forward", ""}, kernel(TORCH_FN(log_sigmoid_forward))},
        {{"aten::_prelu_kernel", ""}, kernel(TORCH_FN(prelu_kernel))},
        {{"aten::isnan", ""}, kernel(TORCH_FN(is_something))},
        {{"aten::logical_not", ""}, kernel(TORCH_FN(is_something))},
        {{"aten::logical_not_", ""}, kernel(TORCH_FN(unary_in_place))},
        {{"aten::nan_to_num", ""}, kernel(TORCH_FN(nan_to_num))},
        {{"aten::nan_to_num_", ""}, kernel(TORCH_FN(nan_to_num_in_place))},
        {{"aten::logical_and", ""}, kernel(TORCH_FN(logical))},
        {{"aten::logical_or", ""}, kernel(TORCH_FN(logical))},
        {{"aten::logical_xor", ""}, kernel(TORCH_FN(logical))},
        {{"aten::logical_and_", ""}, kernel(TORCH_FN(into_first))},
        {{"aten::logical_or_", ""}, kernel(TORCH_FN(into_first))},
        {{"aten::logical_xor_", ""}, kernel(TORCH_FN(into_first))},
        {{"aten::floor_divide", ""}, kernel(TORCH_FN(both))},
        {{"aten::floor_divide", "out"}, kernel(TORCH_FN(both_out))},
        {{"aten::floor_divide_", "Tensor"}, kernel(TORCH_FN(into_first))},
        {{"aten::where", "self"}, kernel(TORCH_FN(choice))},
        {{"aten::where", "self_out"}, kernel(TORCH_FN(choice_out))},
        {{"aten::huber_loss", ""}, kernel(TORCH_FN(huber_loss))},
        {{"aten::max", ""}, kernel(TORCH_FN(extreme))},
        {{"aten::min", ""}, kernel(TORCH_FN(extreme))},
        {{"aten::prod", ""}, kernel(TORCH_FN(product))},
        {{"aten::var", "correction"}, kernel(TORCH_FN(spread))},
        {{"aten::std", "correction"}, kernel(TORCH_FN(spread))},
        {{"aten::var_mean", "correction"}, kernel(TORCH_FN(spread_and_mean))},
        {{"aten::median", "dim"}, kernel(TORCH_FN(picked))},
        {{"aten::mode", ""}, kernel(TORCH_FN(picked))},
        {{"aten::dot", ""}, kernel(TORCH_FN(dot))},
        {{"aten::native_batch_norm", ""}, kernel(TORCH_FN(batch_norm))},
        {{"aten::nll_loss2d_forward", ""}, kernel(TORCH_FN(nll_loss2d))},
        {{"aten::repeat", ""}, kernel(TORCH_FN(repeat))},
        {{"aten::flip", ""}, kernel(TORCH_FN(flip))},
        {{"aten::roll", ""}, kernel(TORCH_FN(roll))},
        {{"aten::channel_shuffle", ""}, kernel(TORCH_FN(channel_shuffle))},
        {{"aten::index_select", ""}, kernel(TORCH_FN(index_select))},
        {{"aten::masked_select", ""}, kernel(TORCH_FN(masked_select))},
        {{"aten::nonzero", ""}, kernel(TORCH_FN(nonzero))},
        {{"aten::one_hot", ""}, kernel(TORCH_FN(one_hot))},
        {{"aten::bucketize", "Tensor"}, kernel(TORCH_FN(bucketize))},
        {{"aten::searchsorted", "Tensor"}, kernel(TORCH_FN(searchsorted))},
        {{"aten::tril_indices", ""}, kernel(TORCH_FN(tril_indices))},
        {{"aten::convolution", ""}, kernel(TORCH_FN(window_shapes::convolution))},
        {{"aten::_adaptive_avg_pool2d", ""}, kernel(TORCH_FN(window_shapes::adaptive_pool2d))},
        {{"aten::_adaptive_avg_pool3d", ""}, kernel(TORCH_FN(window_shapes::adaptive_pool3d))},
        {{"aten::reflection_pad2d", ""}, kernel(TORCH_FN(window_shapes::reflection_pad2d))},
        {{"aten::im2col", ""}, kernel(TORCH_FN(window_shapes::im2col))},
        {{"aten::grid_sampler_2d", ""}, kernel(TORCH_FN(window_shapes::grid_sampler))},
        {{"aten::grid_sampler_3d", ""}, kernel(TORCH_FN(window_shapes::grid_sampler))},
        {{"aten::unbind", "int"}, boxed<&unbind>()},
        {{"aten::split", "Tensor"}, boxed<&split>()},
        {{"aten::unsafe_split", "Tensor"}, boxed<&split>()},
        {{"aten::split_copy", "Tensor"}, boxed<&split>()},
        {{"aten::chunk", ""}, boxed<&sections>()},
        {{"aten::unsafe_chunk", ""}, boxed<&sections>()},
        {{"aten::tensor_split", "sections"}, boxed<&sections>()},
        {{"aten::hsplit", "int"}, boxed<&sections>()},
        {{"aten::vsplit", "int"}, boxed<&sections>()},
        {{"aten::dsplit", "int"}, boxed<&sections>()},
        {{"aten::meshgrid", ""}, boxed<&grid>()},
        {{"aten::meshgrid", "indexing"}, boxed<&grid>()},
        {{"aten::diff", ""}, boxed<&differences>()},
    };
    return all;
}

}  // namespace esper::graph
