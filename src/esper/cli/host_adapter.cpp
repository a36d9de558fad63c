#include "esper/cli/host_adapter.h"

#include "esper/services/tolaria/adapt/adapter_folder.h"

namespace esper::cli {

Result<tolaria::AdapterFile> put_adapter_on(RunState& run, const std::filesystem::path& folder,
                                            const std::string& name_or_file) {
    ESPER_TRY(auto adapter, tolaria::AdapterFolder(folder).find(name_or_file));
    ESPER_TRY(auto adapted, tolaria::put_on(adapter, *run.program(), run.store()));
    run.learner->adopt(std::move(adapted));
    return adapter;
}

}  // namespace esper::cli
