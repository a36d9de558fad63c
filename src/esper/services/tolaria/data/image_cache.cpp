#include "esper/services/tolaria/data/image_cache.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "esper/base/files.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "ESPRIMGS";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kLargest = std::uint64_t{8} << 30;

fs::path cache_folder() {
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0')
        return fs::path(cache) / "esper" / "images";
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
        return fs::path(home) / ".cache" / "esper" / "images";
    return {};
}

fs::path file_of(const std::string& key) {
    const auto folder = cache_folder();
    return folder.empty() ? folder : folder / (key + ".bin");
}

void make_room(const fs::path& folder, std::uint64_t wanted) {
    struct Kept {
        fs::file_time_type time;
        fs::path path;
        std::uint64_t size;
    };
    std::vector<Kept> kept;
    std::uint64_t total = wanted;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const auto size = entry.file_size(error);
        if (error || entry.path().extension() != ".bin") continue;
        kept.push_back({entry.last_write_time(error), entry.path(), size});
        total += size;
    }
    std::ranges::sort(kept, {}, &Kept::time);
    for (std::size_t i = 0; i < kept.size() && total > kLargest; ++i) {
        fs::remove(kept[i].path, error);
        total -= kept[i].size;
    }
}

}  // namespace

std::optional<std::string> find_decoded(const std::string& key) {
    const auto path = file_of(key);
    std::error_code error;
    if (path.empty() || !fs::exists(path, error)) return std::nullopt;
    auto file = read_checked_file(path, kMagic);
    if (!file || file->version != kVersion) return std::nullopt;
    fs::last_write_time(path, fs::file_time_type::clock::now(), error);
    return std::move(file->payload);
}

void keep_decoded(const std::string& key, std::string_view pixels) {
    const auto path = file_of(key);
    if (path.empty() || pixels.size() > kLargest) return;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    make_room(path.parent_path(), pixels.size());
    const std::array pieces = {pixels};
    static_cast<void>(write_checked_file(path, kMagic, kVersion, pieces));
}

}  // namespace esper::tolaria
