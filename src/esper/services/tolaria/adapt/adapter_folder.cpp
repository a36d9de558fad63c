#include "esper/services/tolaria/adapt/adapter_folder.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/files.h"
#include "esper/base/own_file.h"
#include "esper/base/text.h"

namespace esper::tolaria {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSuffix = ".esper";

}  // namespace

fs::path AdapterFolder::file_of(const std::string& name) const { return path_ / (name + kSuffix); }

Status AdapterFolder::check() const {
    std::error_code ignored;
    if (!fs::is_symlink(path_, ignored)) return {};
    return fail(OwnFileError::kSymbolicLink,
                path_.string() + " is a symbolic link, which is not followed; put a folder there");
}

Result<std::vector<AdapterFile>> AdapterFolder::all() const {
    ESPER_CHECK_STATUS(check());
    std::vector<fs::path> files;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(path_, none))
        if (entry.path().extension() == kSuffix) files.push_back(entry.path());
    std::ranges::sort(files);
    std::vector<AdapterFile> adapters;
    for (const auto& file : files) {
        ESPER_TRY(auto adapter, read_adapter(file));
        adapter.name = file.stem().string();
        adapters.push_back(std::move(adapter));
    }
    return adapters;
}

Status AdapterFolder::check_free(const std::string& name) const {
    ESPER_CHECK_STATUS(check());
    std::error_code ignored;
    if (!fs::exists(file_of(name), ignored)) return {};
    return fail(AdaptError::kNameTaken,
                fmt::format("the run has an adapter '{}' already; give another --name, or take it "
                            "out with 'esper adapters remove'",
                            name));
}

Result<fs::path> AdapterFolder::add(const AdapterFile& adapter) const {
    ESPER_CHECK_STATUS(check_free(adapter.name));
    std::error_code error;
    fs::create_directories(path_, error);
    if (error)
        return fail(FileError::kUnwritable,
                    "cannot make " + path_.string() + ": " + error.message());
    const auto file = file_of(adapter.name);
    ESPER_CHECK_STATUS(write_adapter(file, adapter));
    return file;
}

Error AdapterFolder::no_such(const std::string& name) const {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(path_, none))
        if (entry.path().extension() == kSuffix) names.push_back(entry.path().stem().string());
    std::ranges::sort(names);
    return fail(AdaptError::kNoSuchAdapter, fmt::format("no adapter is called {}; the run has: {}",
                                                        quote_with_suggestion(name, names),
                                                        names.empty() ? "none" : join(names, ", ")))
        .value();
}

Status AdapterFolder::remove(const std::string& name) const {
    ESPER_CHECK_STATUS(check());
    std::error_code error;
    if (is_adapter_name(name) && fs::remove(file_of(name), error)) return {};
    if (error)
        return fail(FileError::kUnwritable,
                    "cannot remove " + file_of(name).string() + ": " + error.message());
    return fail(no_such(name));
}

Result<AdapterFile> AdapterFolder::find(const std::string& name_or_file) const {
    ESPER_CHECK_STATUS(check());
    std::error_code ignored;
    if (is_adapter_name(name_or_file) && fs::exists(file_of(name_or_file), ignored)) {
        ESPER_TRY(auto adapter, read_adapter(file_of(name_or_file)));
        adapter.name = name_or_file;
        return adapter;
    }
    if (fs::is_regular_file(name_or_file, ignored)) return read_adapter(name_or_file);
    return fail(no_such(name_or_file));
}

}  // namespace esper::tolaria
