#include "esper/services/tolaria/data/drawn_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "esper/base/hash.h"
#include "esper/services/tolaria/data/drawing.h"
#include "esper/services/tolaria/data/silhouettes.h"

namespace esper::tolaria {
namespace {

// Part p owns the numbers from p · 2^30 on, so that the size of one part does not change another.
constexpr std::uint32_t kPartStride = std::uint32_t{1} << 30;
constexpr std::uint32_t kUsualTrain = 20000;

}  // namespace

DrawnImages::DrawnImages(const DrawnOptions& options)
    : ImageDataset("drawn", {kSilhouetteNames.begin(), kSilhouetteNames.end()}, 3, kDrawnSide,
                   kDrawnSide, options.layout, options.augmentation),
      options_(options) {
    const std::uint32_t train =
        options.split.train_examples != 0 ? options.split.train_examples : kUsualTrain;
    for (std::size_t p = 0; p < kPartCount; ++p) {
        const double count = train * (options.split.share(kAllParts[p]) / options.split.train);
        sizes_[p] = static_cast<std::uint32_t>(std::lround(std::min(count, 4e9)));
    }
}

Result<std::shared_ptr<const DrawnImages>> DrawnImages::open(const DrawnOptions& options) {
    ESPER_CHECK_STATUS(check_split(options.split));
    std::shared_ptr<DrawnImages> set;
    if (options.split.train > 0) set.reset(new DrawnImages(options));
    for (const Part p : kAllParts) {
        const std::uint32_t count = set ? set->size(p) : 0;
        if (count == 0 || count > kPartStride) {
            return fail(DataError::kBadOption,
                        fmt::format("data.split gives the {} part {} drawn images; it takes 1 to "
                                    "{}: mend its share or data.train_examples",
                                    to_text(p), count, kPartStride));
        }
    }
    const ImagePart& train = set->part(Part::kTrain);
    set->normalise_by(train);
    // Hashes the pixels: changed drawing code means changed data.
    Sha256Hasher hasher;
    hasher.update_field("drawn").update_u64(options.seed);
    for (const Part p : kAllParts) hasher.update_u64(set->size(p));
    hasher.update(std::as_bytes(std::span(train.pixels)));
    set->set_fingerprint(hasher.finish().hex());
    return set;
}

const ImagePart& DrawnImages::part(Part which) const {
    const auto p = static_cast<std::size_t>(which);
    std::call_once(drawn_[p], [&] {
        parts_[p] = draw(static_cast<std::uint32_t>(p) * kPartStride, sizes_[p]);
    });
    return parts_[p];
}

ImagePart DrawnImages::draw(std::uint32_t first, std::uint32_t count) const {
    ImagePart part;
    part.pixels.resize(count * kDrawnBytes);
    part.labels.resize(count);
    const auto draw_range = [&](std::uint32_t begin, std::uint32_t end) {
        for (std::uint32_t i = begin; i < end; ++i) {
            part.labels[i] = draw_example(options_.seed, first + i,
                                          std::span<std::uint8_t, kDrawnBytes>(
                                              part.pixels.data() + i * kDrawnBytes, kDrawnBytes));
        }
    };
    const unsigned wanted =
        options_.threads != 0 ? options_.threads : std::thread::hardware_concurrency();
    const std::uint32_t threads = std::clamp(wanted, 1U, 1 + count / 256);
    const std::uint32_t share = (count + threads - 1) / threads;
    std::vector<std::jthread> workers;
    for (std::uint32_t t = 1; t < threads; ++t) {
        workers.emplace_back(draw_range, std::min(t * share, count),
                             std::min((t + 1) * share, count));
    }
    draw_range(0, std::min(share, count));
    return part;
}

}  // namespace esper::tolaria
