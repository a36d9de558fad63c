#include "esper/services/tolaria/data/text_dataset.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/random.h"
#include "esper/services/tolaria/data/file_format.h"
#include "esper/services/tolaria/data/text_files.h"
#include "esper/services/tolaria/data/tokenizer.h"

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

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

Status check_options(const TextOptions& options) {
    if (options.context == 0)
        return fail(DataError::kBadOption, "data.context must be at least 1 character, got 0");
    return check_split(options.split);
}

}  // namespace

Result<std::shared_ptr<const TextDataset>> TextDataset::open(const TextOptions& options) {
    ESPER_TRY(const auto files, text_files(options.path));
    std::string all;
    for (const auto& path : files) {
        auto text = read_file(path, kLargestFile);
        const auto format = text ? recognise_format(*text) : std::string_view();
        if (!format.empty())
            return fail(DataError::kUnsupportedFormat,
                        fmt::format("'{}' is {}, which is not supported as text; {}", path.string(),
                                    recognise_data(path), readable_formats()));
        if (!text)
            return fail(DataError::kMissing,
                        fmt::format("cannot read the text '{}' ({}); set data.path to a UTF-8 file",
                                    path.string(), text.error().message()));
        if (files.size() == 1) {
            all = std::move(*text);
        } else {
            // A byte order mark says how a file is written and is no part of the text.
            std::string_view body = *text;
            if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
            all += body;
            if (!all.ends_with('\n')) all += '\n';
        }
    }
    auto dataset = of_text(all, options);
    if (!dataset) return fail(dataset.error().within(options.path.string()));
    return dataset;
}

Status TextDataset::divide(std::size_t shared, const TextOptions& options) {
    const std::size_t context = options.context;
    const bool own = info_.brings_validation;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < kPartCount; ++i) {
        if (own && kAllParts[i] == Part::kValidation) continue;
        double share = options.split.share(kAllParts[i]);
        if (own && kAllParts[i] == Part::kTrain) share += options.split.validation;
        const auto length = static_cast<std::size_t>(share * static_cast<double>(shared));
        const std::size_t needed = characters_of(1, context);
        if (length < needed) {
            return fail(DataError::kTooSmall,
                        fmt::format("the {} part would have {} of the text's {} characters, but "
                                    "one window of context {} needs {}; take a longer text, a "
                                    "shorter data.context or a larger share",
                                    to_text(kAllParts[i]), length, shared, context, needed));
        }
        parts_[i] = {begin, length};
        begin += length;
    }
    if (own) {
        if (tokens_.size() - shared < characters_of(1, context))
            return fail(DataError::kTooSmall,
                        fmt::format("the validation tokens are {}, fewer than one window of "
                                    "context {} needs",
                                    tokens_.size() - shared, context));
        parts_[static_cast<std::size_t>(Part::kValidation)] = {shared, tokens_.size() - shared};
    }
    if (options.split.train_examples != 0) {
        std::size_t& train = parts_[0].length;
        train = std::min(train, characters_of(options.split.train_examples, context));
    }
    return {};
}

void TextDataset::describe(const TextOptions& options) {
    context_ = options.context;
    info_.tokens = true;
    info_.task = Task::kNextToken;
    info_.input_shape = info_.target_shape = {static_cast<std::int64_t>(options.context)};
}

Status TextDataset::encode(std::string_view utf8, const TextOptions& options) {
    ESPER_TRY(info_.tokenizer, open_tokenizer(options.tokenizer));
    if (info_.tokenizer) {
        ESPER_TRY(tokens_, info_.tokenizer->encode(utf8));
        info_.class_names = info_.tokenizer->pieces();
        info_.notes.push_back(
            fmt::format("tokens are {}, {:.2f} bytes of text each", info_.tokenizer->in_words(),
                        static_cast<double>(utf8.size()) /
                            std::max<double>(1, static_cast<double>(tokens_.size()))));
        return {};
    }
    if (options.vocabulary.empty()) {
        ESPER_TRY(vocabulary_, Vocabulary::of_text(utf8));
        ESPER_TRY(tokens_, vocabulary_.encode(utf8));
    } else {
        ESPER_TRY(vocabulary_, Vocabulary::of_characters(options.vocabulary));
        ESPER_TRY(auto known, vocabulary_.encode_known(utf8));
        tokens_ = std::move(known.tokens);
        if (known.replaced > 0)
            info_.notes.push_back(
                fmt::format("{} of {} characters are not in the network's vocabulary and were "
                            "replaced",
                            known.replaced, tokens_.size()));
    }
    info_.class_names = vocabulary_.characters();
    return {};
}

Result<std::shared_ptr<const TextDataset>> TextDataset::of_text(std::string_view utf8,
                                                                const TextOptions& options) {
    if (utf8.starts_with(kByteOrderMark)) utf8.remove_prefix(kByteOrderMark.size());
    ESPER_CHECK_STATUS(check_options(options));
    std::shared_ptr<TextDataset> set(new TextDataset);
    ESPER_CHECK_STATUS(set->encode(utf8, options));
    set->describe(options);
    ESPER_CHECK_STATUS(set->divide(set->tokens_.size(), options));
    DatasetInfo& info = set->info_;
    info.name = "text";
    info.bytes_per_token =
        static_cast<double>(utf8.size()) / static_cast<double>(set->tokens_.size());
    info.classes = static_cast<std::int64_t>(info.class_names.size());
    Sha256Hasher hasher;
    hasher.update_field("text").update_field(utf8).update_u64(options.context);
    for (const Stretch& part : set->parts_) hasher.update_u64(part.length);
    for (const auto& character : options.vocabulary) hasher.update_field(character);
    if (info.tokenizer)
        hasher.update_field(info.tokenizer->source().empty() ? "bytes" : info.tokenizer->source());
    info.fingerprint = hasher.finish().hex();
    return set;
}

Result<std::shared_ptr<const TextDataset>> TextDataset::of_tokens(TokenSource source,
                                                                  const TextOptions& options) {
    ESPER_CHECK_STATUS(check_options(options));
    std::shared_ptr<TextDataset> set(new TextDataset);
    set->describe(options);
    DatasetInfo& info = set->info_;
    info.brings_validation = !source.validation.empty();
    const auto shared = source.tokens.size();
    set->tokens_ = std::move(source.tokens);
    set->tokens_.insert(set->tokens_.end(), source.validation.begin(), source.validation.end());
    ESPER_CHECK_STATUS(set->divide(shared, options));
    const auto largest = *std::ranges::max_element(set->tokens_);
    info.name = "tokens";
    info.classes = std::int64_t{largest} + 1;
    for (std::uint32_t token = 0; token <= largest; ++token)
        info.class_names.push_back(fmt::format("{} ", token));
    if (info.brings_validation)
        info.notes.emplace_back(
            "the validation part is the data's own; data.split.validation is "
            "not used");
    info.notes.emplace_back("token numbers come without their text; samples show the numbers");
    Sha256Hasher hasher;
    hasher.update_field("tokens").update_u64(options.context);
    hasher.update(std::as_bytes(std::span(set->tokens_)));
    for (const Stretch& part : set->parts_) hasher.update_u64(part.begin).update_u64(part.length);
    info.fingerprint = hasher.finish().hex();
    return set;
}

std::uint32_t TextDataset::size(Part part) const {
    return static_cast<std::uint32_t>(windows_of(stretch(part).length, context_));
}

Status TextDataset::fill(Part part, std::span<const std::uint32_t> indices,
                         const std::optional<Variation>& variation, InputBuffer inputs,
                         TargetBuffer targets) const {
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
        targets.classes = std::copy_n(window + 1, context_, targets.classes);
    }
    return {};
}

}  // namespace esper::tolaria
