// Smaller images against PyTorch's own antialiased resampling, which stands behind
// torch.nn.functional.interpolate(mode="bilinear", antialias=True).

#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <gtest/gtest.h>

#include "esper/base/random.h"
#include "esper/services/tolaria/data/scaled_images.h"

namespace esper::tolaria {
namespace {

using Size = Downscale::Size;

at::Tensor random_image(int channels, Size size) {
    auto image = at::empty({1, channels, size.height, size.width}, at::kFloat);
    RandomStream stream(5, "downscale against torch", 0);
    auto* values = image.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < image.numel(); ++i)
        values[i] = static_cast<float>(stream.normal());
    return image;
}

double largest_difference(int channels, Size from, Size to, ImageLayout layout) {
    const bool last = layout == ImageLayout::kChannelsLast;
    const auto format = last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    const auto image = random_image(channels, from).contiguous(format);
    auto made = at::empty({1, channels, to.height, to.width}, at::kFloat).contiguous(format);
    Downscale(from, to, channels, layout)
        .run(image.const_data_ptr<float>(), made.mutable_data_ptr<float>());
    const auto wanted =
        at::_upsample_bilinear2d_aa(image.to(at::kDouble), {to.height, to.width}, false);
    return made.sub(wanted).abs().max().item<double>();
}

TEST(Downscale, IsPyTorchsAntialiasedBilinearInBothLayouts) {
    for (const auto layout : {ImageLayout::kChannelsLast, ImageLayout::kChannelsFirst})
        for (const auto& [from, to] : std::vector<std::pair<Size, Size>>{{{32, 32}, {16, 16}},
                                                                         {{32, 32}, {24, 24}},
                                                                         {{32, 32}, {20, 20}},
                                                                         {{28, 28}, {9, 9}},
                                                                         {{64, 48}, {33, 25}},
                                                                         {{5, 7}, {1, 1}}})
            for (const int channels : {1, 3})
                EXPECT_LT(largest_difference(channels, from, to, layout), 1e-6)
                    << from.height << " to " << to.height << ", " << channels;
}

TEST(Downscale, AnEvenImageStaysEven) {
    std::vector<float> image(static_cast<std::size_t>(32) * 32, 0.7F);
    std::vector<float> smaller(static_cast<std::size_t>(13) * 13);
    Downscale({32, 32}, {13, 13}, 1, ImageLayout::kChannelsFirst).run(image.data(), smaller.data());
    for (const float pixel : smaller) EXPECT_NEAR(pixel, 0.7F, 1e-6);
}

}  // namespace
}  // namespace esper::tolaria
