#include "esper/services/tolaria/data/text_files.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "esper/services/tolaria/data/file_format.h"

namespace esper::tolaria {

namespace fs = std::filesystem;

bool is_pattern(const fs::path& path) {
    std::error_code none;
    return path.filename().string().find_first_of("*?") != std::string::npos &&
           !fs::exists(path, none);
}

Result<std::vector<fs::path>> text_files(const fs::path& path) {
    std::error_code none;
    const bool pattern = is_pattern(path);
    const bool folder = fs::is_directory(path, none);
    if (!pattern && !folder) return std::vector<fs::path>{path};
    const auto where = folder ? path : path.has_parent_path() ? path.parent_path() : fs::path(".");
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(where, none)) {
        if (!entry.is_regular_file(none)) continue;
        const auto name = entry.path().filename().string();
        const bool fits = pattern ? fnmatch(path.filename().c_str(), name.c_str(), 0) == 0
                                  : name.ends_with(".txt") || name.ends_with(".md");
        if (fits && !name.starts_with('.')) found.push_back(entry.path());
    }
    std::ranges::sort(found);
    if (!found.empty()) return found;
    if (folder)
        return fail(DataError::kUnsupportedFormat,
                    fmt::format("'{}' is {}, which is not supported as text; {}", path.string(),
                                recognise_data(path), readable_formats()));
    return fail(DataError::kMissing, fmt::format("no file fits '{}'", path.string()));
}

}  // namespace esper::tolaria
