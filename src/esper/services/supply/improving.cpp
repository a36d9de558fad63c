#include "esper/services/supply/improving.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>

#include "esper/services/supply/ordered_work.h"
#include "esper/services/tezzeret/forge.h"

namespace esper::supply {

namespace {

constexpr double kHalfInterested = 2;  // so many runs have an interest of one half

struct Use {
    urza::KernelRecord kernel;
    std::set<std::string> runs = {};
};
using Key = std::tuple<std::string, std::string, std::vector<std::int64_t>>;

/// Whether a worker on this machine could make a better one. Out of use and unread: no.
bool is_of_this_machine(const Result<urza::KernelRecord>& kernel) {
    return kernel && kernel->artifact.status == contracts::KernelStatus::kValidated &&
           kernel->verdict && kernel->verdict->hardware == execution::hardware_here();
}

Result<std::map<Key, Use>> uses_of(urza::Library& library) {
    ESPER_TRY(const auto reports, library.reports(""));
    std::map<std::string, std::set<std::string>> runs;  // by the kernel that they used
    for (const auto& filed : reports) runs[filed.report.kernel_artifact_id].insert(filed.run);
    runs.erase("operators");
    std::map<Key, Use> uses;
    for (const auto& [id, those] : runs) {
        const auto kernel = library.kernel(id);
        if (!is_of_this_machine(kernel)) continue;
        const auto& manifest = kernel->manifest;
        auto& use = uses.try_emplace({manifest.branch, manifest.precision, manifest.shape.sample},
                                     Use{*kernel})
                        .first->second;
        use.runs.insert(those.begin(), those.end());
    }
    return uses;
}

Result<ForgeOrder> order_for(urza::Library& library, const urza::KernelRecord& kernel) {
    const auto& manifest = kernel.manifest;
    ESPER_TRY(const auto blueprint, library.blueprint(manifest.branch));
    ForgeOrder order;
    order.branch = manifest.branch;
    order.program = blueprint.architecture;
    const auto& name = kernel.artifact.metadata.name;  // e.g. low_rank/tokens
    const auto slash = std::min(name.rfind('/'), name.size());
    order.blueprint = name.substr(0, slash);
    order.anchor_kind = name.substr(std::min(slash + 1, name.size()));
    order.precision = manifest.precision;
    order.sample = manifest.shape.sample;
    order.samples = kernel.verdict->shape.rows_max;
    return order;
}

/// Whether the library has a kernel of that pipeline for the order.
Result<bool> has_kernel(urza::Library& library, const ForgeOrder& order) {
    ESPER_TRY(const auto blueprint, library.blueprint(order.branch));
    for (const auto& id : blueprint.compiled_artifacts) {
        const auto kernel = library.kernel(id);
        if (is_of_this_machine(kernel) && kernel->manifest.precision == order.precision &&
            kernel->manifest.shape.sample == order.sample &&
            contracts::to_text(kernel->manifest.pipeline) ==
                tezzeret::pipeline_name(order.pipeline))
            return true;
    }
    return false;
}

}  // namespace

Result<std::vector<Asked>> asked_for(urza::Library& library) {
    ESPER_TRY(const auto uses, uses_of(library));
    std::vector<Asked> all;
    for (const auto& [key, use] : uses) {
        ESPER_TRY(auto order, order_for(library, use.kernel));
        const auto runs = static_cast<double>(use.runs.size());
        all.push_back({std::move(order), static_cast<std::int64_t>(use.runs.size()),
                       runs / (runs + kHalfInterested)});
    }
    std::ranges::stable_sort(all, std::greater{}, &Asked::runs);
    return all;
}

double machine_load() {
    double minute = 0;
    if (::getloadavg(&minute, 1) != 1) return 1;
    return minute / static_cast<double>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L));
}

Result<std::optional<Asked>> worth_improving(urza::Library& library, double load) {
    ESPER_TRY(auto all, asked_for(library));
    for (auto& asked : all) {
        const auto pipeline = tezzeret::pipeline_for(load, asked.interest);
        if (pipeline == tezzeret::Pipeline::kFast) continue;
        asked.order.pipeline = pipeline;
        ESPER_TRY(const bool has, has_kernel(library, asked.order));
        if (has) continue;
        const auto job = library.work().work_of(id_of(work_of(asked.order)));
        if (job) continue;
        if (!job.error().is(urza::UrzaError::kUnknownWork)) return fail(job.error());
        return std::optional<Asked>(std::move(asked));
    }
    return std::optional<Asked>();
}

}  // namespace esper::supply
