#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

/// How a text becomes tokens, and which bytes each token stands for. Immutable; thread-safe.
class Tokenizer {
  public:
    virtual ~Tokenizer() = default;
    /// The tokens of a text. Errors: kNotText with the offset of the first byte that is no UTF-8;
    /// kCorrupt for what no token stands for; kTooLarge where the file's pattern takes too long.
    virtual Result<std::vector<std::uint32_t>> encode(std::string_view text) const = 0;
    /// The bytes of each token. One that is a part of a character is no UTF-8 by itself.
    const std::vector<std::string>& pieces() const { return pieces_; }
    /// For people: `256 bytes`, `byte-level BPE of 50,257 tokens`.
    const std::string& in_words() const { return in_words_; }

  protected:
    Tokenizer(std::vector<std::string> pieces, std::string in_words)
        : pieces_(std::move(pieces)), in_words_(std::move(in_words)) {}

  private:
    std::vector<std::string> pieces_;
    std::string in_words_;
};

/// A token for each of the 256 bytes.
std::shared_ptr<const Tokenizer> byte_tokenizer();

/// A byte-level BPE (Sennrich et al. 2016; Radford et al. 2019) from the JSON of the `tokenizers`
/// library. Encodes as that library does with add_special_tokens=False. Errors: kCorrupt for no
/// such file; kUnsupportedFormat for another model or a step that is not built, which it names.
Result<std::shared_ptr<const Tokenizer>> parse_bpe(std::string json);

/// `bytes`, or the path of a tokenizer.json. Errors: those of reading and of
/// parse_bpe, with the path.
Result<std::shared_ptr<const Tokenizer>> open_tokenizer(const std::string& name);

}  // namespace esper::tolaria
