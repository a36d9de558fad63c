#include "esper/cli/host_data.h"

#include "esper/services/tolaria/adapt/adapt_errors.h"
#include "esper/services/tolaria/data/data_config.h"

namespace esper::cli {

Result<std::shared_ptr<const tolaria::Dataset>> open_for_host(const configs::EsperConfig& run,
                                                              const tolaria::DatasetInfo& info,
                                                              const std::string& path) {
    if (!info.tokens)
        return fail(tolaria::AdaptError::kOtherTask,
                    "adapting is built for runs on texts and tokens; this run's data are '" +
                        info.name + "'. For other networks there is esper.adapt in Python");
    auto options = tolaria::data_options(run);
    options.path = path;
    options.context = static_cast<std::uint32_t>(info.input_shape.front());
    if (run.data.kind == configs::DataKind::kText && !info.tokenizer)
        options.vocabulary = info.class_names;
    return tolaria::open_dataset(options);
}

}  // namespace esper::cli
