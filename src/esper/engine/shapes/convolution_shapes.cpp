#include "esper/engine/shapes/convolution_shapes.h"

#include <ATen/TensorUtils.h>

#include "esper/engine/shapes/looking.h"

namespace esper::graph::window_shapes {

namespace {

using at::Tensor;
using Ints = std::vector<std::int64_t>;

// One number stands for every dimension.
Ints spread(at::IntArrayRef given, std::int64_t dims, const char* what) {
    TORCH_CHECK(static_cast<std::int64_t>(given.size()) == dims || given.size() == 1, what, " of ",
                given, " for ", dims, " dimensions");
    return given.size() == 1 ? Ints(static_cast<std::size_t>(dims), given[0]) : given.vec();
}
Ints ints(c10::SymIntArrayRef given) { return C10_AS_INTARRAYREF_SLOW(given).vec(); }

std::int64_t in_range(std::int64_t value, const char* what) {
    TORCH_CHECK(value >= -Limits::kMaxElements && value <= Limits::kMaxElements, what, " of ",
                value, " is out of range");
    return value;
}

}  // namespace

Tensor convolution(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                   c10::SymIntArrayRef stride_, c10::SymIntArrayRef padding_,
                   c10::SymIntArrayRef dilation_, bool transposed,
                   c10::SymIntArrayRef output_padding_, c10::SymInt groups_) {
    const auto dims = weight.dim() - 2;
    const auto groups = groups_.expect_int();
    TORCH_CHECK(dims >= 1 && groups >= 1, "a convolution with a weight of ", weight.sizes(), " in ",
                groups, " groups");
    TORCH_CHECK(x.dim() == dims + 2 || x.dim() == dims + 1, "a weight of ", weight.sizes(),
                " expects an input of ", dims + 1, " or ", dims + 2, " sizes, got ", x.sizes());
    TORCH_CHECK(x.scalar_type() == weight.scalar_type(), "a convolution of ", x.scalar_type(),
                " with a weight of ", weight.scalar_type());
    const auto stride = spread(ints(stride_), dims, "stride");
    const auto padding = spread(ints(padding_), dims, "padding");
    const auto dilation = spread(ints(dilation_), dims, "dilation");
    const auto extra = transposed ? spread(ints(output_padding_), dims, "output_padding")
                                  : Ints(static_cast<std::size_t>(dims), 0);
    const bool batched = x.dim() == dims + 2;
    const auto channels = x.size(batched ? 1 : 0);
    const auto wanted = transposed ? weight.size(0) : weight.size(1) * groups;
    TORCH_CHECK(channels == wanted && weight.size(0) % groups == 0, "given groups=", groups,
                " and a weight of ", weight.sizes(), ", expected an input of ", wanted,
                " channels, got ", x.sizes());
    const auto out_channels = transposed ? weight.size(1) * groups : weight.size(0);
    TORCH_CHECK(!bias || !bias->defined() || (bias->dim() == 1 && bias->size(0) == out_channels),
                "a bias of ", bias ? bias->sizes() : at::IntArrayRef(), " for ", out_channels,
                " channels");
    Ints sizes;
    if (batched) sizes.push_back(x.size(0));
    sizes.push_back(out_channels);
    for (std::int64_t d = 0; d < dims; ++d) {
        const auto i = static_cast<std::size_t>(d);
        TORCH_CHECK(stride[i] > 0 && dilation[i] > 0 && padding[i] >= 0 && extra[i] >= 0,
                    "a stride of ", stride[i], ", dilation of ", dilation[i], ", padding of ",
                    padding[i]);
        const __int128 in = x.size(d + (batched ? 2 : 1));
        const __int128 window = static_cast<__int128>(dilation[i]) * (weight.size(d + 2) - 1) + 1;
        const __int128 pad = 2 * static_cast<__int128>(padding[i]);
        TORCH_CHECK(transposed || in + pad >= window, "a kernel of ",
                    static_cast<std::int64_t>(window), " is larger than the padded input of ",
                    static_cast<std::int64_t>(in + pad));
        const __int128 out = transposed ? (in - 1) * stride[i] - pad + window + extra[i]
                                        : (in + pad - window) / stride[i] + 1;
        TORCH_CHECK(out >= (transposed ? 1 : 0) && out <= Limits::kMaxElements,
                    "a convolution with a result of ", static_cast<std::int64_t>(out));
        sizes.push_back(static_cast<std::int64_t>(out));
    }
    return meta_tensor(sizes, x.scalar_type());
}

namespace {

Tensor adaptive(const Tensor& x, at::IntArrayRef size) {
    const auto dims = static_cast<std::int64_t>(size.size());
    TORCH_CHECK(x.dim() == dims + 1 || x.dim() == dims + 2, "pooling of ", x.sizes(), " to ", size);
    auto sizes = x.sizes().vec();
    for (std::int64_t d = 0; d < dims; ++d)
        sizes[static_cast<std::size_t>(x.dim() - dims + d)] = size[static_cast<std::size_t>(d)];
    return meta_tensor(sizes, x.scalar_type());
}

}  // namespace

Tensor adaptive_pool2d(const Tensor& x, c10::SymIntArrayRef size) {
    return adaptive(x, spread(ints(size), 2, "output size"));
}
Tensor adaptive_pool3d(const Tensor& x, c10::SymIntArrayRef size) {
    return adaptive(x, spread(ints(size), 3, "output size"));
}

Tensor reflection_pad2d(const Tensor& x, c10::SymIntArrayRef padding_) {
    const auto padding = ints(padding_);
    TORCH_CHECK(padding.size() == 4 && (x.dim() == 3 || x.dim() == 4), "padding of ", x.sizes(),
                " by ", at::IntArrayRef(padding));
    auto sizes = x.sizes().vec();
    for (std::size_t d = 0; d < 2; ++d) {
        auto& size = sizes[sizes.size() - 1 - d];
        const auto before = padding[2 * d];
        const auto after = padding[2 * d + 1];
        TORCH_CHECK(before < size && after < size, "reflection of ", before, " and ", after,
                    " at a size of ", size);
        size += in_range(before, "padding") + in_range(after, "padding");
    }
    return meta_tensor(sizes, x.scalar_type());
}

Tensor im2col(const Tensor& x, at::IntArrayRef kernel_, at::IntArrayRef dilation_,
              at::IntArrayRef padding_, at::IntArrayRef stride_) {
    TORCH_CHECK(x.dim() == 3 || x.dim() == 4, "im2col of ", x.sizes());
    const auto kernel = spread(kernel_, 2, "kernel");
    const auto dilation = spread(dilation_, 2, "dilation");
    const auto padding = spread(padding_, 2, "padding");
    const auto stride = spread(stride_, 2, "stride");
    std::int64_t windows = 1;
    for (std::size_t d = 0; d < 2; ++d) {
        TORCH_CHECK(kernel[d] > 0 && dilation[d] > 0 && stride[d] > 0 && padding[d] >= 0,
                    "im2col with a kernel of ", kernel_, " and a stride of ", stride_);
        const __int128 room = static_cast<__int128>(x.size(x.dim() - 2 + static_cast<int>(d))) +
                              2 * static_cast<__int128>(padding[d]) -
                              static_cast<__int128>(dilation[d]) * (kernel[d] - 1) - 1;
        TORCH_CHECK(room >= 0 && room <= Limits::kMaxElements, "im2col of ", x.sizes(),
                    " with a kernel of ", kernel_);
        windows *= static_cast<std::int64_t>(room) / stride[d] + 1;
        in_range(windows, "a number of windows");
    }
    Ints sizes = x.sizes().vec();
    sizes.pop_back();
    const auto channels = sizes.size() - 2;
    sizes[channels] = in_range(in_range(sizes[channels] * in_range(kernel[0], "kernel"), "size") *
                                   in_range(kernel[1], "kernel"),
                               "size");
    sizes.back() = windows;
    return meta_tensor(sizes, x.scalar_type());
}

Tensor grid_sampler(const Tensor& x, const Tensor& grid, std::int64_t, std::int64_t, bool) {
    TORCH_CHECK(x.dim() >= 4 && grid.dim() == x.dim() && grid.size(0) == x.size(0) &&
                    grid.size(-1) == x.dim() - 2,
                "sampling of ", x.sizes(), " at a grid of ", grid.sizes());
    Ints sizes{x.size(0), x.size(1)};
    for (std::int64_t d = 1; d < grid.dim() - 1; ++d) sizes.push_back(grid.size(d));
    return meta_tensor(sizes, x.scalar_type());
}

}  // namespace esper::graph::window_shapes
