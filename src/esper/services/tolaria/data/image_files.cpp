#include "esper/services/tolaria/data/image_files.h"

#include <fmt/format.h>

#include <set>

#include "esper/base/ascii.h"
#include "esper/services/tolaria/data/data_bytes.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

std::string lower_extension(const fs::path& path) { return lowered(path.extension().string()); }

bool is_read(const fs::path& path) {
    const auto extension = lower_extension(path);
    return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

std::vector<fs::path> folders_in(const fs::path& root) {
    std::set<fs::path> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(root, error))
        if (entry.is_directory(error) && !is_hidden(entry.path())) found.insert(entry.path());
    return {found.begin(), found.end()};
}

fs::path first_folder(const fs::path& root, std::initializer_list<const char*> names) {
    std::error_code none;
    for (const char* name : names)
        if (fs::is_directory(root / name, none)) return root / name;
    return {};
}

}  // namespace

std::vector<fs::path> image_files_in(const fs::path& folder, std::map<std::string, int>& others) {
    std::set<fs::path> found;
    std::error_code error;
    for (fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied,
                                             error);
         !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
        if (is_hidden(it->path())) {
            it.disable_recursion_pending();
        } else if (it->is_regular_file(error)) {
            if (is_read(it->path()))
                found.insert(it->path());
            else
                ++others[lower_extension(it->path())];
        }
    }
    return {found.begin(), found.end()};
}

Result<ImageFiles> list_images(const fs::path& root) {
    std::error_code none;
    if (!fs::is_directory(root, none))
        return fail(DataError::kMissing,
                    fmt::format("'{}' is no folder; images are given as a folder with a sub-folder "
                                "for each class",
                                root.string()));
    struct Source {
        fs::path folder;
        Part part;
    };
    std::vector<Source> sources;
    ImageFiles list;
    if (const auto train = first_folder(root, {"train", "training"}); !train.empty()) {
        sources.push_back({train, Part::kTrain});
        if (auto own = first_folder(root, {"val", "valid", "validation"}); !own.empty()) {
            sources.push_back({own, Part::kValidation});
            list.has_validation = true;
        }
        if (auto own = first_folder(root, {"test", "testing"}); !own.empty()) {
            sources.push_back({own, Part::kTest});
            list.has_test = true;
        }
    } else {
        sources.push_back({root, Part::kTrain});
    }
    std::map<std::string, std::uint16_t> numbers;
    for (const auto& folder : folders_in(sources[0].folder)) {
        if (list.class_names.size() == 65535)
            return fail(DataError::kTooLarge, "more than 65,535 classes");
        numbers.emplace(folder.filename().string(),
                        static_cast<std::uint16_t>(list.class_names.size()));
        list.class_names.push_back(folder.filename().string());
    }
    std::map<std::string, int> others;
    for (const auto& source : sources) {
        for (const auto& folder : folders_in(source.folder)) {
            const auto known = numbers.find(folder.filename().string());
            if (known == numbers.end())
                return fail(DataError::kCorrupt,
                            fmt::format("'{}' is a class that '{}' does not have", folder.string(),
                                        sources[0].folder.string()));
            for (auto& file : image_files_in(folder, others))
                list.files.push_back({std::move(file), known->second, source.part});
        }
    }
    for (const auto& [extension, count] : others)
        list.notes.push_back(fmt::format("{} files '{}' are passed over; JPEG and PNG are read",
                                         count, shown_name(extension)));
    if (list.files.empty())
        return fail(DataError::kUnsupportedFormat,
                    fmt::format("'{}' holds no JPEG or PNG file in a sub-folder for each class",
                                root.string()));
    return list;
}

}  // namespace esper::tolaria
