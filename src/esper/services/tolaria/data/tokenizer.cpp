#include "esper/services/tolaria/data/tokenizer.h"

#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/open_dataset.h"

namespace esper::tolaria {
namespace {

std::vector<std::string> all_bytes() {
    std::vector<std::string> pieces;
    for (int byte = 0; byte < 256; ++byte) pieces.emplace_back(1, static_cast<char>(byte));
    return pieces;
}

class Bytes final : public Tokenizer {
  public:
    Bytes() : Tokenizer(all_bytes(), "256 bytes", "") {}
    Result<std::vector<std::uint32_t>> encode(std::string_view text) const override {
        std::vector<std::uint32_t> tokens;
        tokens.reserve(text.size());
        for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
        return tokens;
    }
};

}  // namespace

std::shared_ptr<const Tokenizer> byte_tokenizer() { return std::make_shared<Bytes>(); }

Result<std::shared_ptr<const Tokenizer>> open_tokenizer(const std::string& name) {
    if (name == "characters") return nullptr;
    if (name == "bytes") return byte_tokenizer();
    const auto path = find_data(name);
    auto json = read_data_file(path);
    if (!json)
        return fail(json.error().within(
            "a tokenizer is 'bytes', 'characters' or the path of a tokenizer.json"));
    auto tokenizer = parse_bpe(std::move(*json));
    if (!tokenizer) return fail(tokenizer.error().within(path.string()));
    return tokenizer;
}

}  // namespace esper::tolaria
