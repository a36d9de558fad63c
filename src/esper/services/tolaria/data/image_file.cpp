#include "esper/services/tolaria/data/image_file.h"

#include <fmt/format.h>
#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <memory>

#include "esper/base/files.h"
#include "esper/services/tolaria/data/scale_image.h"

namespace esper::tolaria {
namespace {

constexpr std::uint64_t kMostPixels = std::uint64_t{1} << 26;
// Deflate packs at most 1032 bytes into one, and a byte of a PNG holds at most 8 pixels; JPEG packs
// no tighter.
constexpr std::uint64_t kMostPixelsOfByte = 8256;

tl::unexpected<Error> corrupt(const std::string& why) { return fail(DataError::kCorrupt, why); }

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xff\xd8\xff"); }
bool is_png(std::string_view bytes) { return bytes.starts_with("\x89PNG\r\n\x1a\n"); }

const unsigned char* data_of(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// A decoder of its own for each thread.
class Jpeg {
  public:
    Jpeg() : handle_(tjInitDecompress(), tjDestroy) {}

    Result<ImageHead> head(std::string_view bytes) {
        int width = 0;
        int height = 0;
        int sampling = 0;
        int colours = 0;
        if (!handle_ || tjDecompressHeader3(handle_.get(), data_of(bytes), bytes.size(), &width,
                                            &height, &sampling, &colours) != 0)
            return corrupt(message());
        if (colours == TJCS_CMYK || colours == TJCS_YCCK)
            return corrupt("a JPEG in the colours of print (CMYK); write it as RGB");
        return ImageHead{static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height),
                         colours == TJCS_GRAY};
    }

    // At the smallest of the decoder's scales that is still twice as large as what is wanted.
    Result<Pixels> decode(std::string_view bytes, const ImageHead& head, std::uint32_t side,
                          std::uint32_t channels) {
        int count = 0;
        const tjscalingfactor* factors = tjGetScalingFactors(&count);
        tjscalingfactor chosen{1, 1};
        const auto shorter = static_cast<int>(std::min(head.width, head.height));
        for (int i = 0; i < count; ++i) {
            const auto& f = factors[i];
            const bool is_enough = TJSCALED(shorter, f) >= 2 * static_cast<int>(side);
            if (is_enough && f.num * chosen.denom < chosen.num * f.denom) chosen = f;
        }
        Pixels pixels;
        pixels.width = static_cast<std::uint32_t>(TJSCALED(static_cast<int>(head.width), chosen));
        pixels.height = static_cast<std::uint32_t>(TJSCALED(static_cast<int>(head.height), chosen));
        pixels.channels = channels;
        pixels.bytes.resize(std::size_t{pixels.width} * pixels.height * channels);
        if (tjDecompress2(handle_.get(), data_of(bytes), bytes.size(), pixels.bytes.data(),
                          static_cast<int>(pixels.width), 0, static_cast<int>(pixels.height),
                          channels == 1 ? TJPF_GRAY : TJPF_RGB, TJFLAG_STOPONWARNING) != 0)
            return corrupt(message());
        return pixels;
    }

  private:
    std::string message() const {
        return handle_ ? std::string(tjGetErrorStr2(handle_.get())) : "libjpeg-turbo cannot start";
    }
    std::unique_ptr<void, int (*)(void*)> handle_;
};

/// libpng's simplified interface, freed whatever happens.
class Png {
  public:
    explicit Png(std::string_view bytes) {
        image_.version = PNG_IMAGE_VERSION;
        is_open_ = png_image_begin_read_from_memory(&image_, bytes.data(), bytes.size()) != 0;
    }
    ~Png() { png_image_free(&image_); }
    Png(const Png&) = delete;
    Png& operator=(const Png&) = delete;

    Result<ImageHead> head() const {
        if (!is_open_) return corrupt(image_.message);
        return ImageHead{image_.width, image_.height, (image_.format & PNG_FORMAT_FLAG_COLOR) == 0};
    }
    // What is transparent is seen before black.
    Result<Pixels> decode(std::uint32_t channels) {
        image_.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
        Pixels pixels{image_.width, image_.height, channels, {}};
        pixels.bytes.resize(PNG_IMAGE_SIZE(image_));
        const png_color black{0, 0, 0};
        if (png_image_finish_read(&image_, &black, pixels.bytes.data(), 0, nullptr) == 0 ||
            image_.warning_or_error != 0)
            return corrupt(image_.message);
        return pixels;
    }

  private:
    png_image image_{};
    bool is_open_ = false;
};

Status check_head(const ImageHead& head, std::size_t bytes) {
    const auto pixels = std::uint64_t{head.width} * head.height;
    if (pixels == 0 || pixels > kMostPixelsOfByte * bytes)
        return corrupt(fmt::format("its head says {} x {} pixels, which its {} bytes cannot hold",
                                   head.width, head.height, bytes));
    if (pixels > kMostPixels)
        return fail(DataError::kTooLarge,
                    fmt::format("it has {} x {} pixels; at most {} are read, so make it smaller",
                                head.width, head.height, kMostPixels));
    return {};
}

Result<Pixels> decode(std::string_view bytes, std::uint32_t side, std::uint32_t channels) {
    if (is_jpeg(bytes)) {
        Jpeg jpeg;
        ESPER_TRY(const auto head, jpeg.head(bytes));
        ESPER_CHECK_STATUS(check_head(head, bytes.size()));
        return jpeg.decode(bytes, head, side, channels);
    }
    if (!is_png(bytes)) return corrupt("it is neither JPEG nor PNG, whatever its name says");
    Png png(bytes);
    ESPER_TRY(const auto head, png.head());
    ESPER_CHECK_STATUS(check_head(head, bytes.size()));
    return png.decode(channels);
}

}  // namespace

Result<ImageHead> read_image_head(std::string_view bytes) {
    const auto read = [&]() -> Result<ImageHead> {
        if (is_jpeg(bytes)) return Jpeg().head(bytes);
        if (is_png(bytes)) return Png(bytes).head();
        return corrupt("it is neither JPEG nor PNG, whatever its name says");
    };
    ESPER_TRY(const auto head, read());
    ESPER_CHECK_STATUS(check_head(head, bytes.size()));
    return head;
}

Result<std::vector<std::uint8_t>> read_square_image(std::string_view bytes, std::uint32_t side,
                                                    std::uint32_t channels) {
    ESPER_TRY(const auto pixels, decode(bytes, side, channels));
    return scale_square(pixels, side);
}

Status write_png(const std::filesystem::path& path, std::uint32_t width, std::uint32_t height,
                 const std::vector<std::uint8_t>& rgb) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = width;
    image.height = height;
    image.format = PNG_FORMAT_RGB;
    png_alloc_size_t size = 0;
    std::string out;
    if (png_image_write_to_memory(&image, nullptr, &size, 0, rgb.data(), 0, nullptr) != 0) {
        out.resize(size);
        if (png_image_write_to_memory(&image, out.data(), &size, 0, rgb.data(), 0, nullptr) != 0)
            return write_file_atomic(path, std::string_view(out).substr(0, size));
    }
    return corrupt(fmt::format("libpng: {}", image.message));
}

}  // namespace esper::tolaria
