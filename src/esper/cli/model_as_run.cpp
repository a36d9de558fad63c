#include "esper/cli/model_as_run.h"

#include <cstdio>

#include "esper/cli/training_config.h"
#include "esper/services/tolaria/run/trainer.h"

namespace esper::cli {

namespace fs = std::filesystem;

bool is_model_file(const fs::path& path) {
    std::error_code none;
    return path.extension() == ".pt2" && fs::is_regular_file(path, none);
}

Result<fs::path> model_as_run(const fs::path& model, const std::string& data,
                              const std::vector<std::string>& overrides, const fs::path& wanted,
                              const OutputFlags& output, std::optional<UnfinishedFolder>& made) {
    configs::LoadOptions options;
    options.path = data;
    options.overrides = overrides;
    options.overrides.push_back("model.path=" + model.string());
    options.overrides.emplace_back("growth.enabled=false");
    options.env = configs::process_environment();
    ESPER_TRY(const auto loaded, load_training_config(data, options, {.quiet = true}));
    const auto folder =
        wanted.empty() ? records::RunFolder::next_free("runs", model.stem().string()) : wanted;
    made.emplace(folder);
    ESPER_TRY(auto trainer, tolaria::Trainer::create(loaded.config, folder));
    trainer->request_stop();
    ESPER_TRY(const auto status, trainer->run());
    static_cast<void>(status);
    if (!output.json && !output.quiet)
        std::fprintf(stderr, "%s is the run %s now, stopped before its first step\n", model.c_str(),
                     folder.c_str());
    return folder;
}

}  // namespace esper::cli
