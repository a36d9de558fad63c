#include "esper/cli/run_config.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/configs/load.h"
#include "esper/services/records/run_files.h"
#include "esper/services/tolaria/host/setup.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kLargestTokenizer = std::uint64_t{1} << 30;

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

// Where a relative path of the run leads; itself where it leads nowhere.
std::string found(const std::string& path, const fs::path& folder, const fs::path& started_in) {
    if (path.empty() || fs::path(path).is_absolute() || is_there(path)) return path;
    if (!started_in.empty() && is_there(started_in / path)) return (started_in / path).string();
    std::error_code ignored;
    const auto own = fs::weakly_canonical(folder, ignored);
    for (auto above = own; above.has_relative_path(); above = above.parent_path())
        if (is_there(above.parent_path() / path)) return (above.parent_path() / path).string();
    return path;
}

// The run keeps a copy of its tokenizer, which counts where the file is gone or another one.
std::string tokenizer_of(const std::string& name, const fs::path& folder) {
    const auto own = folder / records::kTokenizerFile;
    if (name == "characters" || name == "bytes" || !is_there(own)) return name;
    const auto here = read_file(name, kLargestTokenizer);
    const auto kept = read_file(own, kLargestTokenizer);
    return here && kept && *here == *kept ? name : own.string();
}

}  // namespace

Result<configs::EsperConfig> load_run_config(const fs::path& folder,
                                             const std::vector<std::string>& overrides) {
    ESPER_TRY(const auto run, records::read_run_json(folder));
    configs::LoadOptions options;
    options.path = folder / "config.yaml";
    options.of_a_run = true;
    options.overrides = overrides;
    ESPER_TRY(auto config, configs::load_config(options));
    const fs::path started_in = records::text_of(run, "working_directory");
    config.data.path = found(config.data.path, folder, started_in);
    config.model.path = found(config.model.path, folder, started_in);
    config.data.tokenizer = tokenizer_of(config.data.tokenizer, folder);
    return config;
}

Result<configs::EsperConfig> load_config_to_look(const fs::path& folder,
                                                 const std::vector<std::string>& overrides) {
    for (const auto& word : overrides)
        if (!word.starts_with("data.path="))
            return fail(tolaria::TolariaError::kUnsupported,
                        fmt::format("'{}': a network is looked at as its run trained it; the only "
                                    "key to give here is data.path=, where the data are now",
                                    word));
    return load_run_config(folder, overrides);
}

Result<std::shared_ptr<const tolaria::Dataset>> open_run_data(const configs::EsperConfig& config,
                                                              const std::string& fingerprint,
                                                              const fs::path& folder) {
    auto data = tolaria::open_data(config);
    if (!data)
        return fail(data.error().within(
            fmt::format("the data of {} cannot be opened (if it has moved, say where it is: "
                        "data.path=PATH)",
                        folder.string())));
    const auto& here = (*data)->info().fingerprint;
    if (here == fingerprint) return data;
    return fail(tolaria::TolariaError::kChangedRun,
                fmt::format("{} is not the data that the run was started on: its fingerprint is "
                            "{:.12}, the run's data had {:.12}; give the same data with "
                            "data.path=PATH",
                            config.data.path, here, fingerprint));
}

}  // namespace esper::cli
