// Byte-level BPE from a tokenizer.json.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "esper/services/tolaria/data/bpe_merges.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/tokenizer.h"
#include "esper/services/tolaria/data/utf8.h"
#include "esper/services/tolaria/data/word_pattern.h"

namespace esper::tolaria {
namespace {

using nlohmann::json;

constexpr std::uint32_t kMostTokens = (1U << 24) - 1;
// That of GPT-2 (Radford et al. 2019), which "ByteLevel" stands for.
constexpr const char* kGpt2Words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// A token that stands for a text as a whole, looked for before anything else.
struct AddedToken {
    std::string text;
    std::uint32_t token = 0;
    bool is_bare = true;  ///< neither blanks around it nor the words beside it matter
};

struct Parts {
    std::vector<std::string> pieces;
    BpeMerges merges;
    std::vector<AddedToken> added;
    std::vector<WordPattern> words;  ///< one after another
    bool begins_with_blank = false;
};

class Bpe final : public Tokenizer {
  public:
    Bpe(Parts parts, std::string source)
        : Tokenizer(parts.pieces, fmt::format("byte-level BPE of {} tokens", parts.pieces.size()),
                    std::move(source)),
          merges_(std::move(parts.merges)),
          added_(std::move(parts.added)),
          words_(std::move(parts.words)),
          begins_with_blank_(parts.begins_with_blank) {
        for (const auto& a : added_) first_bytes_[static_cast<unsigned char>(a.text[0])] = true;
    }

    Result<std::vector<std::uint32_t>> encode(std::string_view text) const override {
        for (std::size_t at = 0; at < text.size();) {
            const auto step = decode_utf8(text, at);
            if (step.length == 0)
                return fail(DataError::kNotText,
                            fmt::format("expected UTF-8 text, but byte 0x{:02x} at offset {} is "
                                        "none; convert the file, e.g. with iconv -t UTF-8, or "
                                        "take bytes as tokens",
                                        static_cast<unsigned char>(text[at]), at));
            at += step.length;
        }
        std::vector<std::uint32_t> tokens;
        tokens.reserve(text.size() / 3);
        Known known;
        std::size_t begin = 0;
        for (std::size_t at = 0; at < text.size();) {
            const AddedToken* found = added_at(text.substr(at));
            if (found == nullptr) {
                ++at;
                continue;
            }
            if (!found->is_bare)
                return fail(DataError::kUnsupportedFormat,
                            fmt::format("the text has the token '{}', which this tokenizer looks "
                                        "for by the blanks or words around it; that is not built",
                                        shown_name(found->text)));
            ESPER_CHECK_STATUS(encode_piece(text.substr(begin, at - begin), known, tokens));
            tokens.push_back(found->token);
            at += found->text.size();
            begin = at;
        }
        ESPER_CHECK_STATUS(encode_piece(text.substr(begin), known, tokens));
        return tokens;
    }

  private:
    /// Tokens of the words that came before: most of a text's words come often.
    using Known = std::unordered_map<std::string, std::vector<std::uint32_t>>;

    const AddedToken* added_at(std::string_view rest) const {
        if (!first_bytes_[static_cast<unsigned char>(rest[0])]) return nullptr;
        const AddedToken* longest = nullptr;
        for (const auto& a : added_)
            if (rest.starts_with(a.text) &&
                (longest == nullptr || a.text.size() > longest->text.size()))
                longest = &a;
        return longest;
    }

    Status encode_piece(std::string_view piece, Known& known,
                        std::vector<std::uint32_t>& tokens) const {
        if (piece.empty()) return {};
        std::string with_blank;
        if (begins_with_blank_ && piece.front() != ' ') {
            with_blank = " " + std::string(piece);
            piece = with_blank;
        }
        std::vector<std::string_view> words{piece};
        for (const auto& pattern : words_) {
            std::vector<std::string_view> finer;
            for (const auto word : words) {
                ESPER_TRY(const auto parts, pattern.divide(word));
                finer.insert(finer.end(), parts.begin(), parts.end());
            }
            words = std::move(finer);
        }
        for (const auto word : words) {
            auto [at, is_new] = known.try_emplace(std::string(word));
            if (is_new && !merges_.encode(word, at->second))
                return fail(DataError::kCorrupt,
                            fmt::format("no token of the vocabulary stands for a byte of '{}'",
                                        shown_name(word)));
            tokens.insert(tokens.end(), at->second.begin(), at->second.end());
        }
        return {};
    }

    BpeMerges merges_;
    std::vector<AddedToken> added_;
    std::vector<WordPattern> words_;
    bool begins_with_blank_;
    std::array<bool, 256> first_bytes_{};
};

tl::unexpected<Error> not_built(std::string_view what) {
    return fail(DataError::kUnsupportedFormat,
                fmt::format("{}; byte-level BPE is read, as of GPT-2, Llama 3 or Qwen without a "
                            "normalizer. Tokens that its own library made can be trained on as a "
                            ".bin or .npy file",
                            what));
}

std::string type_of(const json& object) {
    return object.is_object() ? object.value("type", std::string()) : std::string();
}

// GPT-2's way to write any byte as a printable character: printable ones stand for themselves, the
// others for the characters from 256 on.
std::unordered_map<char32_t, std::uint8_t> bytes_of_characters() {
    std::unordered_map<char32_t, std::uint8_t> bytes;
    char32_t next = 256;
    for (int byte = 0; byte < 256; ++byte) {
        const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) ||
                               (byte >= 0xAE && byte <= 0xFF);
        bytes[printable ? static_cast<char32_t>(byte) : next++] = static_cast<std::uint8_t>(byte);
    }
    return bytes;
}

// Nothing where a character stands for no byte.
std::optional<std::string> bytes_of(std::string_view written) {
    static const auto table = bytes_of_characters();
    std::string bytes;
    for (std::size_t at = 0; at < written.size();) {
        const auto step = decode_utf8(written, at);
        const auto found = step.length == 0 ? table.end() : table.find(step.code_point);
        if (found == table.end()) return std::nullopt;
        bytes += static_cast<char>(found->second);
        at += step.length;
    }
    return bytes;
}

Status check_model(const json& model) {
    if (const auto type = type_of(model); !type.empty() && type != "BPE")
        return not_built(fmt::format("its model is '{}'", shown_name(type)));
    const auto set = [&](const char* key) {
        const auto found = model.find(key);
        return found != model.end() && !found->is_null() && *found != "" && *found != false;
    };
    for (const char* key : {"unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                            "byte_fallback", "dropout"})
        if (set(key)) return not_built(fmt::format("its model has a '{}'", key));
    if (!model.contains("vocab") || !model["vocab"].is_object() || !model.contains("merges") ||
        !model["merges"].is_array())
        return fail(DataError::kCorrupt, "it has no model with 'vocab' and 'merges'");
    return {};
}

Result<std::uint32_t> token_of(const json& number, std::string_view text) {
    if (number.is_number_unsigned() && number.get<std::uint64_t>() <= kMostTokens)
        return number.get<std::uint32_t>();
    return fail(DataError::kCorrupt, fmt::format("the token '{}' has no number from 0 to {}",
                                                 shown_name(text), kMostTokens));
}

void put(std::vector<std::string>& pieces, std::uint32_t token, std::string text) {
    if (pieces.size() <= token) pieces.resize(token + 1);
    pieces[token] = std::move(text);
}

Status read_merge(const json& merge, const json& vocab, BpeMerges& merges) {
    std::string left;
    std::string right;
    if (merge.is_string()) {
        const auto text = merge.get<std::string>();
        const auto blank = text.find(' ');
        left = text.substr(0, blank);
        right = blank == std::string::npos ? "" : text.substr(blank + 1);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
        left = merge[0].get<std::string>();
        right = merge[1].get<std::string>();
    }
    const auto find = [&](const std::string& text) { return vocab.find(text); };
    if (left.empty() || right.empty() || find(left) == vocab.end() || find(right) == vocab.end() ||
        find(left + right) == vocab.end())
        return fail(
            DataError::kCorrupt,
            fmt::format("merge {} is no pair of tokens whose union is one, too", merges.size()));
    merges.add(find(left)->get<std::uint32_t>(), find(right)->get<std::uint32_t>(),
               find(left + right)->get<std::uint32_t>());
    return {};
}

Status read_model(const json& model, Parts& parts) {
    ESPER_CHECK_STATUS(check_model(model));
    const auto& vocab = model["vocab"];
    const bool ignores_merges = model.value("ignore_merges", false);
    parts.merges.bytes.fill(-1);
    for (const auto& [written, number] : vocab.items()) {
        ESPER_TRY(const auto token, token_of(number, written));
        const auto bytes = bytes_of(written);
        put(parts.pieces, token, bytes.value_or(written));
        if (!bytes) continue;
        if (bytes->size() == 1)
            parts.merges.bytes[static_cast<unsigned char>(bytes->front())] = token;
        if (ignores_merges) parts.merges.whole.emplace(*bytes, token);
    }
    for (const auto& merge : model["merges"])
        ESPER_CHECK_STATUS(read_merge(merge, vocab, parts.merges));
    return {};
}

Status read_added(const json& tokens, Parts& parts) {
    if (tokens.is_null()) return {};
    if (!tokens.is_array()) return fail(DataError::kCorrupt, "'added_tokens' is no list");
    for (const auto& token : tokens) {
        if (!token.is_object() || !token.contains("id") || !token.contains("content") ||
            !token["content"].is_string() || token["content"] == "")
            return fail(DataError::kCorrupt, "one of 'added_tokens' has no id or no content");
        AddedToken added;
        added.text = token["content"].get<std::string>();
        ESPER_TRY(added.token, token_of(token["id"], added.text));
        added.is_bare = !token.value("single_word", false) && !token.value("lstrip", false) &&
                        !token.value("rstrip", false);
        put(parts.pieces, added.token, added.text);
        parts.added.push_back(std::move(added));
    }
    return {};
}

Status add_words(const std::string& pattern, Parts& parts) {
    ESPER_TRY(auto words, WordPattern::compile(pattern));
    parts.words.push_back(std::move(words));
    return {};
}

Status read_step(const json& step, bool is_first, Parts& parts, bool& is_byte_level) {
    const auto type = type_of(step);
    if (type == "ByteLevel") {
        is_byte_level = true;
        parts.begins_with_blank = parts.begins_with_blank || step.value("add_prefix_space", true);
        if (parts.begins_with_blank && !is_first)
            return not_built("it puts a blank before each of several pieces of a text");
        return step.value("use_regex", true) ? add_words(kGpt2Words, parts) : Status{};
    }
    const bool is_split = type == "Split" && step.contains("pattern") &&
                          step["pattern"].contains("Regex") &&
                          step["pattern"]["Regex"].is_string() &&
                          step.value("behavior", "") == "Isolated" && !step.value("invert", false);
    if (is_split && !is_byte_level)
        return add_words(step["pattern"]["Regex"].get<std::string>(), parts);
    return not_built(fmt::format("it divides texts by a '{}' that is not built", shown_name(type)));
}

Status read_words(const json& splitter, Parts& parts) {
    bool is_byte_level = false;
    if (type_of(splitter) == "Sequence" && splitter.contains("pretokenizers") &&
        splitter["pretokenizers"].is_array()) {
        bool is_first = true;
        for (const auto& step : splitter["pretokenizers"]) {
            ESPER_CHECK_STATUS(read_step(step, is_first, parts, is_byte_level));
            is_first = false;
        }
    } else {
        ESPER_CHECK_STATUS(read_step(splitter, true, parts, is_byte_level));
    }
    return is_byte_level ? Status{} : not_built("it is not byte-level");
}

Result<std::shared_ptr<const Tokenizer>> read(const json& file, std::string source) {
    if (!file.is_object() || !file.contains("model") || !file["model"].is_object())
        return fail(DataError::kCorrupt,
                    "it is no tokenizer.json: expected a JSON object with a 'model'");
    if (file.contains("normalizer") && !file["normalizer"].is_null())
        return not_built(
            fmt::format("it has a normalizer, '{}'", shown_name(type_of(file["normalizer"]))));
    Parts parts;
    ESPER_CHECK_STATUS(read_model(file["model"], parts));
    ESPER_CHECK_STATUS(read_added(file.value("added_tokens", json()), parts));
    ESPER_CHECK_STATUS(read_words(file.value("pre_tokenizer", json()), parts));
    if (parts.pieces.size() < 2) return fail(DataError::kTooSmall, "it has fewer than two tokens");
    return std::make_shared<Bpe>(std::move(parts), std::move(source));
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> parse_bpe(std::string text) {
    const auto file = json::parse(text, nullptr, false);
    if (file.is_discarded()) return fail(DataError::kCorrupt, "it is no JSON");
    try {
        return read(file, std::move(text));
    } catch (const json::exception& e) {
        return fail(DataError::kCorrupt, fmt::format("it is no tokenizer.json: {}", e.what()));
    }
}

}  // namespace esper::tolaria
