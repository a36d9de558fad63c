#include "esper/services/supply/best_known.h"

#include "esper/services/supply/known_kernels.h"

namespace esper::supply {

Result<std::optional<urabrask::Named>> best_known(const std::string& library,
                                                  const ports::KernelNeed& need) {
    ESPER_TRY(const auto opened, urza::open_library(library));
    const auto blueprint = opened->blueprint(need.branch);
    if (!blueprint) {
        if (blueprint.error().is(urza::UrzaError::kUnknownBlueprint))
            return std::optional<urabrask::Named>();
        return fail(blueprint.error());
    }
    std::vector<Result<urza::KernelRecord>> kernels;
    for (const auto& id : blueprint->compiled_artifacts) kernels.push_back(opened->kernel(id));
    const auto known = known_of(need, kernels, opened->ring());
    for (const auto* some : {&known.winners, &known.losers})
        for (const auto& record : *some) {
            ESPER_TRY(const auto bytes, opened->fetch(record.manifest.artifact));
            ESPER_TRY(auto bundle, execution::parse_bundle(bytes));
            if (execution::verify_bundle(bundle, opened->ring(), want_of(need)))
                return urabrask::Named{record.manifest.artifact, std::move(bundle.object)};
        }
    return std::optional<urabrask::Named>();
}

}  // namespace esper::supply
