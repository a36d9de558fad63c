#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/data/split.h"
#include "esper/services/tolaria/data/vocabulary.h"

namespace esper::tolaria {

struct TextOptions {
    /// A UTF-8 file; or several: a folder of .txt and .md files, or a pattern such as books/*.txt.
    /// Their texts follow one another in the order of their names.
    std::filesystem::path path = {};
    /// Tokens in one window.
    std::uint32_t context = 128;
    /// Shares of the file's characters.
    Split split = {};
    /// The characters that the tokens stand for, of a network that knows them already; empty: those
    /// of the text. Others become `?` (Vocabulary::encode_known).
    std::vector<std::string> vocabulary = {};
    /// `characters`, `bytes`, or the path of a tokenizer.json (open_tokenizer).
    std::string tokenizer = "characters";
};

/// Token numbers without their text.
struct TokenSource {
    std::vector<std::uint32_t> tokens;
    std::vector<std::uint32_t> validation;  ///< where the data bring it; else empty
};

/// Windows of `context` tokens, which are characters unless a tokenizer is named; the target at
/// each position is the next token. The parts are consecutive sections of the file in the order
/// train, probe, validation, test, without a common token. With a variation a train window begins
/// anywhere; otherwise windows adjoin.
class TextDataset final : public Dataset {
  public:
    static Result<std::shared_ptr<const TextDataset>> open(const TextOptions& options);
    /// From a text in memory; `options.path` is only its name.
    static Result<std::shared_ptr<const TextDataset>> of_text(std::string_view utf8,
                                                              const TextOptions& options);

    /// From token numbers; the vocabulary has one more than the largest. Errors: kTooSmall.
    static Result<std::shared_ptr<const TextDataset>> of_tokens(TokenSource source,
                                                                const TextOptions& options);

    const DatasetInfo& info() const override { return info_; }
    std::uint32_t size(Part part) const override;
    Status fill(Part part, std::span<const std::uint32_t> indices,
                const std::optional<Variation>& variation, InputBuffer inputs,
                TargetBuffer targets) const override;

    const Vocabulary& vocabulary() const { return vocabulary_; }

  private:
    struct Stretch {
        std::size_t begin = 0;
        std::size_t length = 0;
    };
    TextDataset() = default;
    /// Fills tokens and what is known of them. Errors: those of Vocabulary and Tokenizer.
    Status encode(std::string_view utf8, const TextOptions& options);
    /// Divides the first `shared` tokens by the shares.
    Status divide(std::size_t shared, const TextOptions& options);
    void describe(const TextOptions& options);
    const Stretch& stretch(Part part) const { return parts_[static_cast<std::size_t>(part)]; }

    DatasetInfo info_;
    Vocabulary vocabulary_;
    std::size_t context_ = 0;
    std::vector<std::uint32_t> tokens_;
    std::array<Stretch, kPartCount> parts_;
};

}  // namespace esper::tolaria
