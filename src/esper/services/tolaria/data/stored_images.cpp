#include "esper/services/tolaria/data/stored_images.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/hash.h"
#include "esper/services/tolaria/data/stratified_split.h"

namespace esper::tolaria {
namespace {

// Black edges left and right, or above and below.
void make_square(ImageSource& source) {
    if (source.height == source.width) return;
    const int side = std::max(source.height, source.width);
    const int left = (side - source.width) / 2;
    const int top = (side - source.height) / 2;
    const auto pad = [&](ImagePart& part) {
        const auto planes = part.labels.size() * static_cast<std::size_t>(source.channels);
        const auto plane = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
        std::vector<std::uint8_t> padded(planes * plane);
        auto* from = part.pixels.data();
        for (std::size_t p = 0; p < planes; ++p)
            for (int y = 0; y < source.height; ++y, from += source.width)
                std::copy_n(
                    from, source.width,
                    padded.data() + p * plane + static_cast<std::size_t>((top + y) * side + left));
        part.pixels = std::move(padded);
    };
    pad(source.pool);
    if (source.validation) pad(*source.validation);
    if (source.test) pad(*source.test);
    source.notes.push_back(
        fmt::format("images of {} x {} pixels get black edges and become {} x {}", source.height,
                    source.width, side, side));
    source.height = source.width = side;
}

}  // namespace

StoredImages::StoredImages(ImageSource& source, const ImageSetOptions& options)
    : ImageDataset(source.name, source.class_names, source.channels, source.height, source.width,
                   options.layout, options.augmentation) {}

Result<std::shared_ptr<const Dataset>> StoredImages::make(ImageSource source,
                                                          const ImageSetOptions& options) {
    const auto labels = source.several_labels ? source.class_names.size() : 0;
    if (source.class_names.size() < (source.several_labels ? 1 : 2))
        return fail(DataError::kTooSmall,
                    fmt::format("the images are of {} class; there is nothing to tell apart",
                                source.class_names.size()));
    make_square(source);
    Split split = options.split;
    if (source.validation) split.validation = 0;
    if (source.test) split.test = 0;
    const auto groups =
        source.several_labels
            ? groups_of_labels(source.pool.holds, labels)
            : std::vector<std::uint32_t>(source.pool.labels.begin(), source.pool.labels.end());
    ESPER_TRY(const auto rows, split_rows(groups, split));

    std::shared_ptr<StoredImages> set(new StoredImages(source, options));
    Sha256Hasher hasher;
    hasher.update_field(source.name).update_field(source.content_sha256);
    if (source.several_labels) hasher.update_field(to_text(Task::kMultiLabel));
    const auto bytes = static_cast<std::size_t>(set->info().input_elements());
    for (std::size_t p = 0; p < kPartCount; ++p) {
        auto& part = set->parts_[p];
        part.pixels.reserve(rows[p].size() * bytes);
        for (const auto row : rows[p]) {
            const auto* from = source.pool.pixels.data() + row * bytes;
            part.pixels.insert(part.pixels.end(), from, from + bytes);
            part.labels.push_back(source.pool.labels[row]);
            const auto* holds = source.pool.holds.data() + row * labels;
            part.holds.insert(part.holds.end(), holds, holds + labels);
        }
        hasher.update_u64(rows[p].size()).update(std::as_bytes(std::span(rows[p])));
    }
    source.pool = {};
    if (source.several_labels) set->set_labels();
    set->set_brings(source.validation.has_value(), source.test.has_value());
    const auto bring = [&](Part part, std::optional<ImagePart>& own, const char* key) {
        if (!own) return;
        set->note(fmt::format("the {} part is the data's own, {} images; {} is not used",
                              to_text(part), own->labels.size(), key));
        set->parts_[static_cast<std::size_t>(part)] = std::move(*own);
    };
    bring(Part::kValidation, source.validation, "data.split.validation");
    bring(Part::kTest, source.test, "data.split.test");
    for (auto& text : source.notes) set->note(std::move(text));
    set->normalise_by(set->part(Part::kTrain));
    set->set_fingerprint(hasher.finish().hex());
    return set;
}

}  // namespace esper::tolaria
