#include <fmt/format.h>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/text.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/open_own.h"
#include "esper/services/tolaria/data/stored_images.h"

namespace esper::tolaria {
namespace {

// Two labels, coarse and fine, and 3 x 32 x 32 pixels (Krizhevsky 2009).
constexpr std::size_t kPixels = 3 * 32 * 32;
constexpr std::size_t kRecord = kPixels + 2;
constexpr int kClasses = 100;

Result<ImagePart> read_records(const std::filesystem::path& path, Sha256Hasher& hasher) {
    ESPER_TRY(const auto bytes, read_data_file(path));
    hasher.update_u64(bytes.size()).update(bytes);
    if (bytes.empty() || bytes.size() % kRecord != 0)
        return fail(DataError::kTruncated,
                    fmt::format("'{}' has {} bytes, no whole number of CIFAR-100's records of {}; "
                                "copy the file again",
                                path.string(), bytes.size(), kRecord));
    ImagePart part;
    part.pixels.reserve(bytes.size() / kRecord * kPixels);
    for (std::size_t at = 0; at < bytes.size(); at += kRecord) {
        const auto label = static_cast<unsigned char>(bytes[at + 1]);
        if (label >= kClasses)
            return fail(DataError::kCorrupt,
                        fmt::format("'{}' record {}: expected a class 0-99, found {}",
                                    path.string(), at / kRecord, label));
        part.labels.push_back(label);
        part.pixels.insert(part.pixels.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at + 2),
                           bytes.begin() + static_cast<std::ptrdiff_t>(at + kRecord));
    }
    return part;
}

std::vector<std::string> read_names(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    if (const auto text = read_file(folder / "fine_label_names.txt", 1 << 16))
        for (const auto& line : split(*text, '\n'))
            if (!line.empty()) names.push_back(shown_name(line));
    if (names.size() == kClasses) return names;
    names.clear();
    for (int i = 0; i < kClasses; ++i) names.push_back(fmt::format("{}", i));
    return names;
}

}  // namespace

Result<std::shared_ptr<const Dataset>> open_cifar100(const DataOptions& options) {
    auto folder = find_data(options.path);
    if (std::error_code none; std::filesystem::is_directory(folder / "cifar-100-binary", none))
        folder /= "cifar-100-binary";
    Sha256Hasher hasher;
    ImageSource source;
    source.name = "cifar100";
    source.height = source.width = 32;
    source.class_names = read_names(folder);
    ESPER_TRY(source.pool, read_records(folder / "train.bin", hasher));
    ESPER_TRY(source.test, read_records(folder / "test.bin", hasher));
    source.content_sha256 = hasher.finish().hex();
    return StoredImages::make(std::move(source),
                              {options.layout, options.augmentation, options.split});
}

}  // namespace esper::tolaria
