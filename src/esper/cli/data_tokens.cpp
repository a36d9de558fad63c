#include "esper/cli/data_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "esper/base/files.h"
#include "esper/cli/output_file.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/text_files.h"
#include "esper/services/tolaria/data/tokenizer.h"

namespace esper::cli {

namespace {

using tolaria::DataError;

constexpr std::uint32_t kLargestInBin = 65'535;

void put(std::string& out, std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

// NumPy's format 1.0 of one dimension of unsigned numbers of 32 bits.
std::string as_npy(const std::vector<std::uint32_t>& tokens) {
    constexpr std::size_t kAlignment = 64;
    auto head =
        fmt::format("{{'descr': '<u4', 'fortran_order': False, 'shape': ({},), }}", tokens.size());
    while ((10 + head.size() + 1) % kAlignment != 0) head += ' ';
    head += '\n';
    std::string out("\x93NUMPY\x01\x00", 8);
    put(out, static_cast<std::uint32_t>(head.size()), 2);
    out += head;
    for (const auto token : tokens) put(out, token, 4);
    return out;
}

}  // namespace

Status write_tokens(const TokensArguments& a) {
    const bool npy = a.out.ends_with(".npy");
    if (!npy && !a.out.ends_with(".bin"))
        return fail(DataError::kBadOption,
                    "-o: expected a .bin (16 bits a token, as nanoGPT's) or an .npy file");
    ESPER_TRY(const auto tokenizer, tolaria::open_tokenizer(a.tokenizer));
    if (!tokenizer)
        return fail(
            DataError::kBadOption,
            "--tokenizer: expected 'bytes' or the path of a tokenizer.json; characters have "
            "no numbers but within one text");
    ESPER_TRY(const auto files, tolaria::text_files(a.path));
    std::vector<std::uint32_t> tokens;
    std::size_t bytes = 0;
    for (const auto& file : files) {
        ESPER_TRY(const auto text, tolaria::read_data_file(file));
        auto more = tokenizer->encode(text);
        if (!more) return fail(more.error().within(file.string()));
        tokens.insert(tokens.end(), more->begin(), more->end());
        bytes += text.size();
    }
    const auto largest = tokens.empty() ? 0 : *std::ranges::max_element(tokens);
    if (!npy && largest > kLargestInBin)
        return fail(DataError::kTooLarge,
                    fmt::format("token {} does not fit the 16 bits of a .bin file; write an .npy",
                                largest));
    std::string out;
    if (npy) out = as_npy(tokens);
    if (!npy)
        for (const auto token : tokens) put(out, token, 2);
    ESPER_CHECK_STATUS(check_output_file(a.out));
    ESPER_CHECK_STATUS(write_file_atomic(a.out, out));
    std::printf("%s: %zu tokens (%s) of %zu bytes\n", a.out.c_str(), tokens.size(),
                tokenizer->in_words().c_str(), bytes);
    return {};
}

}  // namespace esper::cli
