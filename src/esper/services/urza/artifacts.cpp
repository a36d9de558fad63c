#include "esper/services/urza/artifacts.h"

#include <fmt/format.h>

#include <chrono>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/own_file.h"
#include "esper/services/urza/file_system.h"

namespace esper::urza {

namespace fs = std::filesystem;

fs::path Artifacts::path_of(std::string_view digest) const {
    return folder_ / std::string(digest.substr(0, 2)) / std::string(digest);
}

Result<std::string> Artifacts::put(std::string_view content) {
    std::string digest = sha256(content).hex();
    const fs::path path = path_of(digest);
    if (const auto present = get(digest)) {
        // It becomes young again: a row for it may be about to be written.
        std::error_code ignored;
        fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
        return digest;
    }
    ESPER_CHECK_STATUS(make_private_folder(folder_));
    ESPER_CHECK_STATUS(make_private_folder(path.parent_path()));
    if (const Status written = write_file_atomic(path, content); !written) {
        return fail(UrzaError::kDiskFull,
                    fmt::format("{}; make room (esper library gc), or set ESPER_LIBRARY to another "
                                "disk. Nothing was added",
                                written.error().message()));
    }
    return digest;
}

Result<std::string> Artifacts::get(std::string_view digest) {
    ESPER_CHECK_STATUS(check_digest(digest));
    const std::string path = path_of(digest).string();
    auto content = read_own_file(path);
    if (!content && content.error().is(FileError::kNotFound)) return no_object(path);
    ESPER_CHECK_STATUS(content);
    ESPER_CHECK_STATUS(check_object(digest, *content, path));
    return content;
}

Result<Objects::Removed> Artifacts::remove_unless(
    const std::function<bool(const std::string&)>& keep) {
    Removed removed;
    std::error_code error;
    const auto young = fs::file_time_type::clock::now() - std::chrono::seconds(kYoungSeconds);
    for (fs::recursive_directory_iterator at(folder_, error), end; !error && at != end;
         at.increment(error)) {
        const std::string name = at->path().filename().string();
        std::error_code failed;
        if (!at->is_regular_file(failed) || keep(name)) continue;
        const auto size = at->file_size(failed);
        const auto written = at->last_write_time(failed);
        if (!failed && written > young) ++removed.young;
        if (failed || written > young || !fs::remove(at->path(), failed)) continue;
        ++removed.files;
        removed.bytes += size;
    }
    return removed;
}

}  // namespace esper::urza
