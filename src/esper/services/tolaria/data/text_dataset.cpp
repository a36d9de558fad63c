#include "esper/services/tolaria/data/text_dataset.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/random.h"
#include "esper/services/tolaria/data/file_format.h"

namespace esper::tolaria {
namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 31;

// A stretch of n windows needs one more character: the last window's last target.
std::size_t characters_of(std::size_t windows, std::size_t context) {
    return windows * context + 1;
}
std::size_t windows_of(std::size_t characters, std::size_t context) {
    return characters == 0 ? 0 : (characters - 1) / context;
}

}  // namespace

Result<std::shared_ptr<const TextDataset>> TextDataset::open(const TextOptions& options) {
    auto text = read_file(options.path, kLargestFile);
    std::error_code none;
    const bool folder = std::filesystem::is_directory(options.path, none);
    const auto format = text ? recognise_format(*text) : std::string_view();
    if (folder || !format.empty()) {
        return fail(
            DataError::kUnsupportedFormat,
            fmt::format("'{}' is {}, which is not supported as text; {}", options.path.string(),
                        recognise_data(options.path), readable_formats()));
    }
    if (!text) {
        return fail(DataError::kMissing,
                    fmt::format("cannot read the text '{}' ({}); set data.path to a UTF-8 file",
                                options.path.string(), text.error().message()));
    }
    auto dataset = of_text(*text, options);
    if (!dataset) return fail(dataset.error().within(options.path.string()));
    return dataset;
}

Result<std::shared_ptr<const TextDataset>> TextDataset::of_text(std::string_view utf8,
                                                                const TextOptions& options) {
    // A byte order mark says how the file is written and is no part of the text.
    if (utf8.starts_with("\xEF\xBB\xBF")) utf8.remove_prefix(3);
    if (options.context == 0) {
        return fail(DataError::kBadOption, "data.context must be at least 1 character, got 0");
    }
    ESPER_CHECK_STATUS(check_split(options.split));
    std::shared_ptr<TextDataset> set(new TextDataset);
    ESPER_TRY(set->vocabulary_, Vocabulary::of_text(utf8));
    ESPER_TRY(set->tokens_, set->vocabulary_.encode(utf8));
    set->context_ = options.context;

    const std::size_t total = set->tokens_.size();
    const std::size_t context = options.context;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < kPartCount; ++i) {
        const std::size_t length = static_cast<std::size_t>(options.split.share(kAllParts[i]) *
                                                            static_cast<double>(total));
        const std::size_t needed = characters_of(1, context);
        if (length < needed) {
            return fail(DataError::kTooSmall,
                        fmt::format("the {} part would have {} of the text's {} characters, but "
                                    "one window of context {} needs {}; take a longer text, a "
                                    "shorter data.context or a larger share",
                                    to_text(kAllParts[i]), length, total, context, needed));
        }
        set->parts_[i] = {begin, length};
        begin += length;
    }
    if (options.split.train_examples != 0) {
        std::size_t& train = set->parts_[0].length;
        train = std::min(train, characters_of(options.split.train_examples, context));
    }

    DatasetInfo& info = set->info_;
    info.name = "text";
    info.tokens = true;
    info.input_shape = info.target_shape = {static_cast<std::int64_t>(context)};
    info.classes = static_cast<std::int64_t>(set->vocabulary_.size());
    info.class_names = set->vocabulary_.characters();
    Sha256Hasher hasher;
    hasher.update_field("text").update_field(utf8).update_u64(context);
    for (const Stretch& part : set->parts_) hasher.update_u64(part.length);
    info.fingerprint = hasher.finish().hex();
    return set;
}

std::uint32_t TextDataset::size(Part part) const {
    return static_cast<std::uint32_t>(windows_of(stretch(part).length, context_));
}

Status TextDataset::fill(Part part, std::span<const std::uint32_t> indices,
                         const std::optional<Variation>& variation, InputBuffer inputs,
                         std::int64_t* targets) const {
    const Stretch& where = stretch(part);
    const std::uint32_t count = size(part);
    for (const std::uint32_t index : indices) {
        if (index >= count) return bad_index(info_.name, part, index, count);
        std::size_t offset = index * context_;
        if (variation && part == Part::kTrain) {
            RandomStream stream(variation->seed, "text.window", variation->epoch, index);
            offset = stream.below(where.length - context_);
        }
        const std::uint32_t* window = tokens_.data() + where.begin + offset;
        inputs.tokens = std::copy_n(window, context_, inputs.tokens);
        targets = std::copy_n(window + 1, context_, targets);
    }
    return {};
}

}  // namespace esper::tolaria
