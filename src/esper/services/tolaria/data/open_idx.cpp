#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "esper/base/hash.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/idx_file.h"
#include "esper/services/tolaria/data/open_own.h"
#include "esper/services/tolaria/data/stored_images.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

/// The two files of one part.
struct Pair {
    fs::path images;
    fs::path labels;
};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    if (const auto at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
    return text;
}

bool is_there(const fs::path& path) {
    std::error_code none;
    return fs::is_regular_file(path, none);
}

// Packed or not, whichever is there.
fs::path existing(fs::path path) {
    if (is_there(path)) return path;
    if (path.extension() == ".gz") return path.replace_extension();
    return path += ".gz";
}

Pair pair_of(const fs::path& images) {
    const auto name = images.filename().string();
    return {existing(images),
            existing(images.parent_path() /
                     replaced(replaced(name, "images", "labels"), "idx3", "idx1"))};
}

Result<fs::path> find_images(const fs::path& path) {
    if (is_there(path)) {
        const auto name = path.filename().string();
        return path.parent_path() / replaced(replaced(name, "labels", "images"), "idx1", "idx3");
    }
    std::set<fs::path> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(path, error)) {
        const auto name = entry.path().filename().string();
        const bool is_test =
            name.find("t10k") != std::string::npos || name.find("test") != std::string::npos;
        if (name.find("images") != std::string::npos && name.find("idx3") != std::string::npos &&
            !is_test)
            found.insert(name.ends_with(".gz") ? entry.path().parent_path() / entry.path().stem()
                                               : entry.path());
    }
    if (found.size() == 1) return *found.begin();
    return fail(found.empty() ? DataError::kMissing : DataError::kBadOption,
                fmt::format("'{}' has {} files of training images in IDX; give the one that is "
                            "meant, such as train-images-idx3-ubyte",
                            path.string(), found.size()));
}

struct Read {
    ImagePart part;
    std::uint64_t height = 0;
    std::uint64_t width = 0;
};

Result<Read> read_pair(const Pair& pair, Sha256Hasher& hasher) {
    const auto read_one = [&](const fs::path& path, std::string& bytes) -> Result<IdxArray> {
        ESPER_TRY(bytes, read_data_file(path));
        hasher.update_u64(bytes.size()).update(bytes);
        auto array = parse_idx(bytes);
        if (!array) return fail(array.error().within(path.string()));
        return array;
    };
    std::string image_bytes;
    std::string label_bytes;
    ESPER_TRY(const auto images, read_one(pair.images, image_bytes));
    ESPER_TRY(const auto labels, read_one(pair.labels, label_bytes));
    if (images.shape.size() != 3 || labels.shape.size() != 1)
        return fail(DataError::kCorrupt,
                    fmt::format("'{}' and '{}' are not images with a label each: they have {} and "
                                "{} dimensions, expected 3 and 1",
                                pair.images.string(), pair.labels.string(), images.shape.size(),
                                labels.shape.size()));
    if (images.shape[0] != labels.shape[0] || images.bytes.empty() || images.shape[1] > 4096 ||
        images.shape[2] > 4096)
        return fail(DataError::kCorrupt,
                    fmt::format("'{}' has {} images of {} x {}, '{}' {} labels",
                                pair.images.string(), images.shape[0], images.shape[1],
                                images.shape[2], pair.labels.string(), labels.shape[0]));
    Read read{{}, images.shape[1], images.shape[2]};
    read.part.pixels.assign(images.bytes.begin(), images.bytes.end());
    for (const char label : labels.bytes)
        read.part.labels.push_back(static_cast<unsigned char>(label));
    return read;
}

}  // namespace

Result<std::shared_ptr<const Dataset>> open_idx(const DataOptions& options) {
    ESPER_TRY(const auto images, find_images(find_data(options.path)));
    Sha256Hasher hasher;
    ESPER_TRY(auto train, read_pair(pair_of(images), hasher));
    ImageSource source;
    source.name = "idx";
    source.channels = 1;
    source.height = static_cast<int>(train.height);
    source.width = static_cast<int>(train.width);
    source.pool = std::move(train.part);
    const auto name = images.filename().string();
    for (const char* word : {"t10k", "test"}) {
        const auto other = pair_of(images.parent_path() / replaced(name, "train", word));
        if (name.find("train") == std::string::npos || !is_there(other.images)) continue;
        ESPER_TRY(auto test, read_pair(other, hasher));
        if (test.height != train.height || test.width != train.width)
            return fail(DataError::kCorrupt,
                        fmt::format("'{}' has images of another size than '{}'",
                                    other.images.string(), images.string()));
        source.test = std::move(test.part);
        break;
    }
    // EMNIST's letters are numbered from 1.
    std::set<std::uint16_t> distinct(source.pool.labels.begin(), source.pool.labels.end());
    if (source.test) distinct.insert(source.test->labels.begin(), source.test->labels.end());
    for (const auto label : distinct) source.class_names.push_back(fmt::format("{}", label));
    const auto number = [&](ImagePart& part) {
        for (auto& label : part.labels)
            label =
                static_cast<std::uint16_t>(std::distance(distinct.begin(), distinct.find(label)));
    };
    number(source.pool);
    if (source.test) number(*source.test);
    source.content_sha256 = hasher.finish().hex();
    return StoredImages::make(std::move(source),
                              {options.layout, options.augmentation, options.split});
}

}  // namespace esper::tolaria
