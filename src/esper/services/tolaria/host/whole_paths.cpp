#include "esper/services/tolaria/host/whole_paths.h"

#include <filesystem>

#include "esper/services/tolaria/data/open_dataset.h"
#include "esper/services/tolaria/data/text_files.h"

namespace esper::tolaria {

configs::EsperConfig with_whole_paths(configs::EsperConfig config) {
    const auto whole = [](std::string& path) {
        std::error_code ignored;
        const auto found = find_data(path);
        if (!path.empty() && (std::filesystem::exists(found, ignored) || is_pattern(found)))
            path = std::filesystem::absolute(found).lexically_normal().string();
    };
    whole(config.data.path);
    if (!config.model.path.empty()) whole(config.model.path);
    if (config.data.tokenizer != "characters" && config.data.tokenizer != "bytes")
        whole(config.data.tokenizer);
    return config;
}

}  // namespace esper::tolaria
