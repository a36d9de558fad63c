#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/text.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/image_cache.h"
#include "esper/services/tolaria/data/image_file.h"
#include "esper/services/tolaria/data/image_files.h"
#include "esper/services/tolaria/data/labelled_images.h"
#include "esper/services/tolaria/data/open_own.h"
#include "esper/services/tolaria/data/stored_images.h"

namespace esper::tolaria {
namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 28;
constexpr std::uint32_t kLargestChosenSide = 64;
// Part of the cache's key: changes with the pixels that the same files give.
constexpr std::string_view kDecoding = "square-area-1";

/// What one file is, or what is wrong with it.
struct Looked {
    Sha256 content;
    ImageHead head;
    std::string fault;
};

// Each number is taken by one thread; the order in which they finish changes nothing.
template <typename Work>
void in_parallel(std::size_t count, const Work& work) {
    std::atomic<std::size_t> next{0};
    const auto run = [&] {
        for (std::size_t i = next++; i < count; i = next++) work(i);
    };
    const auto cores = std::max(1U, std::thread::hardware_concurrency());
    std::vector<std::jthread> threads;
    for (std::size_t t = 1; t < std::min<std::size_t>(cores, count / 8 + 1); ++t)
        threads.emplace_back(run);
    run();
}

std::vector<Looked> look_at(const std::vector<ImageFile>& files) {
    std::vector<Looked> looked(files.size());
    in_parallel(files.size(), [&](std::size_t i) {
        const auto bytes = read_file(files[i].path, kLargestFile);
        if (!bytes) {
            looked[i].fault = bytes.error().message();
            return;
        }
        looked[i].content = sha256(*bytes);
        if (const auto head = read_image_head(*bytes))
            looked[i].head = *head;
        else
            looked[i].fault = head.error().message();
    });
    return looked;
}

// Refuses files with a fault, or takes them out of the list.
Status settle_faults(std::vector<ImageFile>& files, std::vector<Looked>& looked, bool skip,
                     std::vector<std::string>& notes) {
    constexpr std::size_t kNamed = 5;
    std::vector<std::string> named;
    std::size_t count = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (looked[i].fault.empty()) continue;
        ++count;
        if (named.size() < kNamed)
            named.push_back(fmt::format("'{}' ({})", shown_name(files[i].path.string()),
                                        shown_name(looked[i].fault)));
    }
    if (count == 0) return {};
    const auto list = join(named, ", ") + (count > kNamed ? ", ..." : "");
    if (!skip)
        return fail(DataError::kCorrupt,
                    fmt::format("{} of {} images cannot be read: {}; take them away, or go on "
                                "without them with data.corrupt=skip",
                                count, files.size(), list));
    notes.push_back(fmt::format(
        "{} images cannot be read and are left out (data.corrupt: skip): {}", count, list));
    std::size_t kept = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (!looked[i].fault.empty()) continue;
        if (kept != i) {
            files[kept] = std::move(files[i]);
            looked[kept] = std::move(looked[i]);
        }
        ++kept;
    }
    files.resize(kept);
    looked.resize(kept);
    return {};
}

// Half of the images have sides of at least this many pixels; a multiple of 4.
std::uint32_t chosen_side(const std::vector<Looked>& looked) {
    std::vector<std::uint32_t> sides;
    for (const auto& image : looked) sides.push_back(std::min(image.head.width, image.head.height));
    const auto middle = sides.begin() + static_cast<std::ptrdiff_t>(sides.size() / 2);
    std::ranges::nth_element(sides, middle);
    return std::clamp((*middle + 3) / 4 * 4, 8U, kLargestChosenSide);
}

Result<std::string> decode_all(const std::vector<ImageFile>& files, std::vector<Looked>& looked,
                               std::uint32_t side, std::uint32_t channels) {
    const auto bytes = std::size_t{side} * side * channels;
    std::string pixels(files.size() * bytes, '\0');
    in_parallel(files.size(), [&](std::size_t i) {
        const auto file = read_file(files[i].path, kLargestFile);
        const auto image = file ? read_square_image(*file, side, channels)
                                : Result<std::vector<std::uint8_t>>(fail(file.error()));
        if (image)
            std::ranges::copy(*image, pixels.data() + i * bytes);
        else
            looked[i].fault = image.error().message();
    });
    return pixels;
}

bool are_labels(const std::optional<TableTarget>& target) {
    return target && target->task == Task::kMultiLabel;
}

ImagePart part_of(Part part, const std::vector<ImageFile>& files, std::string_view pixels,
                  std::size_t bytes, const std::optional<TableTarget>& target) {
    const auto labels = are_labels(target) ? target->class_names.size() : 0;
    ImagePart out;
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (files[i].part != part) continue;
        const auto image = pixels.substr(i * bytes, bytes);
        out.pixels.insert(out.pixels.end(), image.begin(), image.end());
        out.labels.push_back(files[i].label);
        if (labels == 0) continue;
        const auto* holds = target->labels.data() + files[i].row * labels;
        out.holds.insert(out.holds.end(), holds, holds + labels);
    }
    return out;
}

// Decoded pixels, from the cache where it has them. Files that turn out to be damaged inside are
// settled as those with a damaged head are, and the rest is decoded again.
Result<std::string> pixels_of(ImageFiles& list, std::vector<Looked>& looked, std::uint32_t side,
                              std::uint32_t channels, bool skip) {
    const auto bytes = std::size_t{side} * side * channels;
    while (true) {
        if (list.files.empty()) return fail(DataError::kCorrupt, "no image can be read");
        Sha256Hasher hasher;
        hasher.update_field(kDecoding).update_u64(side).update_u64(channels);
        for (const auto& image : looked)
            hasher.update(std::as_bytes(std::span(image.content.bytes)));
        const auto key = hasher.finish().hex();
        const auto wanted = list.files.size() * bytes;
        if (auto kept = find_decoded(key); kept && kept->size() == wanted) return std::move(*kept);
        ESPER_CHECK_STATUS(check_memory(
            2 * wanted, fmt::format("{} images of {} x {} pixels", list.files.size(), side, side),
            "set a smaller data.image_size"));
        ESPER_TRY(auto pixels, decode_all(list.files, looked, side, channels));
        const auto before = list.files.size();
        ESPER_CHECK_STATUS(settle_faults(list.files, looked, skip, list.notes));
        if (list.files.size() != before) continue;
        keep_decoded(key, pixels);
        return pixels;
    }
}

struct FoundImages {
    ImageFiles list;
    std::optional<TableTarget> target;  ///< where labels.csv says what is on the images
};

Result<FoundImages> list_files(const DataOptions& options) {
    const auto root = find_data(options.path);
    std::error_code none;
    const bool has_table = std::filesystem::is_regular_file(root / kLabelsFile, none);
    if (has_table) {
        ESPER_TRY(auto labelled, list_labelled_images(root, options));
        if (labelled) return FoundImages{std::move(labelled->list), std::move(labelled->target)};
    }
    if (options.task == Task::kMultiLabel || !options.target.empty())
        return fail(DataError::kBadOption,
                    fmt::format("data.task or data.target asks for labels, but '{}' {}; it has a "
                                "row for each image: the file's name, then 1 or 0 for each label",
                                (root / kLabelsFile).string(),
                                has_table ? "names no image" : "does not exist"));
    ESPER_TRY(auto list, list_images(root));
    if (has_table)
        list.notes.push_back(fmt::format("{} names no image and is passed over", kLabelsFile));
    return FoundImages{std::move(list), std::nullopt};
}

}  // namespace

Result<std::shared_ptr<const Dataset>> open_image_folder(const DataOptions& options) {
    ESPER_TRY(auto found, list_files(options));
    auto& [list, target] = found;
    auto looked = look_at(list.files);
    ESPER_CHECK_STATUS(settle_faults(list.files, looked, options.skip_corrupt, list.notes));
    if (list.files.empty()) return fail(DataError::kCorrupt, "no image can be read");
    const auto side = options.image_size != 0 ? options.image_size : chosen_side(looked);
    const bool grey = std::ranges::all_of(looked, [](const auto& i) { return i.head.grey; });
    const std::uint32_t channels = grey ? 1 : 3;
    ESPER_TRY(const auto pixels, pixels_of(list, looked, side, channels, options.skip_corrupt));

    ImageSource source;
    source.name = "images";
    source.class_names = list.class_names;
    source.several_labels = are_labels(target);
    source.channels = static_cast<int>(channels);
    source.height = source.width = static_cast<int>(side);
    const auto bytes = std::size_t{side} * side * channels;
    source.pool = part_of(Part::kTrain, list.files, pixels, bytes, target);
    if (list.has_validation)
        source.validation = part_of(Part::kValidation, list.files, pixels, bytes, target);
    if (list.has_test) source.test = part_of(Part::kTest, list.files, pixels, bytes, target);
    source.notes.push_back(
        fmt::format("{} images{}; the square in the middle of each is scaled to {} x {} pixels{}",
                    list.files.size(), grey ? ", all grey" : "", side, side,
                    options.image_size != 0 ? "" : " (data.image_size sets another size)"));
    source.notes.insert(source.notes.end(), list.notes.begin(), list.notes.end());
    Sha256Hasher hasher;
    hasher.update_field(kDecoding).update_u64(side).update_u64(channels);
    if (source.several_labels) hasher.update_field(join(list.class_names, "\n"));
    for (std::size_t i = 0; i < list.files.size(); ++i) {
        if (source.several_labels) {
            const auto labels = list.class_names.size();
            hasher.update(std::as_bytes(
                std::span(target->labels).subspan(list.files[i].row * labels, labels)));
        } else {
            hasher.update_field(list.class_names[list.files[i].label]);
        }
        hasher.update_field(to_text(list.files[i].part));
        hasher.update(std::as_bytes(std::span(looked[i].content.bytes)));
    }
    source.content_sha256 = hasher.finish().hex();
    return StoredImages::make(std::move(source),
                              {options.layout, options.augmentation, options.split});
}

}  // namespace esper::tolaria
