#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace esper::tolaria {

/// A planar image of bytes, {channels, height, width}, that is changed in place.
struct ByteImage {
    std::span<std::uint8_t> pixels;
    int channels = 3;
    int height = 0;
    int width = 0;

    std::span<std::uint8_t> plane(int channel) const {
        const auto size = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
        return pixels.subspan(static_cast<std::size_t>(channel) * size, size);
    }
};

/// The operations of RandAugment, each as Pillow's ImageEnhance, ImageOps and Image.transform make
/// it, to the byte. An image of three channels is red, green and blue; of another number each
/// channel is treated as a grey image.

/// Blends with black; 1 leaves the image as it is, as in the three operations that follow.
void change_brightness(const ByteImage& image, double factor);
/// Blends with the image in grey; without effect on an image that has not three channels.
void change_colour(const ByteImage& image, double factor);
/// Blends with the mean grey.
void change_contrast(const ByteImage& image, double factor);
/// Blends with the smoothed image.
void change_sharpness(const ByteImage& image, double factor);
/// Keeps the highest `bits` bits, 0 to 8.
void posterize(const ByteImage& image, int bits);
/// Inverts what is at least `threshold`.
void solarize(const ByteImage& image, double threshold);
/// Stretches each channel to 0 … 255.
void stretch_contrast(const ByteImage& image);
/// Makes each channel's histogram flat.
void equalize(const ByteImage& image);
/// The pixel at (x, y) becomes the one nearest to (a·x + b·y + c, d·x + e·y + f), pixel centres
/// counted at ½; black where there is none.
void transform(const ByteImage& image, const std::array<double, 6>& matrix);
/// Turns the image about its centre, counter-clockwise for an angle above 0, in degrees.
void rotate(const ByteImage& image, double degrees);

}  // namespace esper::tolaria
