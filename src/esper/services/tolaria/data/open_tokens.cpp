#include <fmt/format.h>

#include <cstring>

#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/numpy_array.h"
#include "esper/services/tolaria/data/open_own.h"
#include "esper/services/tolaria/data/text_dataset.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

constexpr double kLargestToken = (1 << 24) - 1;

Result<std::vector<std::uint32_t>> read_bin(const fs::path& path) {
    ESPER_TRY(const auto bytes, read_data_file(path));
    if (bytes.empty() || bytes.size() % 2 != 0)
        return fail(DataError::kTruncated,
                    fmt::format("'{}' has {} bytes, no whole number of 16-bit tokens",
                                path.string(), bytes.size()));
    std::vector<std::uint32_t> tokens(bytes.size() / 2);
    for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[2 * i]) |
                                               static_cast<unsigned char>(bytes[2 * i + 1]) << 8);
    return tokens;
}

Result<std::vector<std::uint32_t>> read_npy(const fs::path& path) {
    ESPER_TRY(auto bytes, read_data_file(path));
    auto array = NumpyArray::parse(std::make_shared<std::string>(std::move(bytes)));
    if (!array) return fail(array.error().within(path.string()));
    if (array->shape().size() != 1 || !array->is_whole())
        return fail(DataError::kUnsupportedFormat,
                    fmt::format("'{}' is {}; tokens are whole numbers in one dimension",
                                path.string(), array->in_words()));
    std::vector<std::uint32_t> tokens(array->elements());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const double token = array->at(i);
        if (token < 0 || token > kLargestToken)
            return fail(DataError::kCorrupt,
                        fmt::format("'{}' has the token {} at {}; tokens run from 0 to {}",
                                    path.string(), token, i, kLargestToken));
        tokens[i] = static_cast<std::uint32_t>(token);
    }
    return tokens;
}

Result<std::vector<std::uint32_t>> read_tokens(const fs::path& path) {
    return path.extension() == ".npy" ? read_npy(path) : read_bin(path);
}

}  // namespace

Result<std::shared_ptr<const Dataset>> open_tokens(const DataOptions& options) {
    const auto path = find_data(options.path);
    std::error_code none;
    TokenSource source;
    if (!fs::is_directory(path, none)) {
        ESPER_TRY(source.tokens, read_tokens(path));
    } else {
        ESPER_TRY(source.tokens, read_tokens(path / "train.bin"));
        if (fs::exists(path / "val.bin", none)) {
            ESPER_TRY(source.validation, read_tokens(path / "val.bin"));
        }
    }
    auto set = TextDataset::of_tokens(
        std::move(source), {.path = path, .context = options.context, .split = options.split});
    if (!set) return fail(set.error().within(path.string()));
    return set;
}

}  // namespace esper::tolaria
