#include "esper/services/supply/ordered_work.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "esper/execution/kernels/kernel_bundle.h"

namespace esper::supply {

using urza::WorkState;

urza::NewWork work_of(const ForgeOrder& order) {
    const auto how = order.pipeline == tezzeret::Pipeline::kFast
                         ? std::string()
                         : fmt::format(", {}", tezzeret::pipeline_name(order.pipeline));
    return {fmt::format("{}/{} {} {}x{}{}", order.blueprint, order.anchor_kind, order.precision,
                        order.samples, fmt::join(order.sample, "x"), how),
            execution::hardware_here(), text_of(order)};
}

Status OrderedWork::order(urza::Library& library, const std::vector<ports::KernelNeed>& needs) {
    for (const auto& need : needs) {
        ESPER_TRY(const auto id, library.work().order(work_of({need})));
        const std::lock_guard lock(mutex_);
        jobs_[id].need = need;
    }
    return {};
}

void OrderedWork::look(urza::Library& library) {
    std::vector<std::string> open;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, job] : jobs_)
            if (!job.outcome) open.push_back(id);
    }
    for (const auto& id : open) {
        auto row = library.work().work_of(id);
        if (!row) continue;  // as it was, until the library can be asked again
        const std::lock_guard lock(mutex_);
        auto& job = jobs_.at(id);
        job.row = std::move(*row);
        if (job.row.state == WorkState::kDone) job.outcome = outcome_of(job.row.said);
        if (job.row.state == WorkState::kDead ||
            (job.row.state == WorkState::kDone && !job.outcome))
            job.outcome = OrderOutcome{
                job.need.branch, job.need.precision, "failed", job.row.said, "", false};
    }
}

bool OrderedWork::is_finished() const {
    const std::lock_guard lock(mutex_);
    return std::ranges::all_of(jobs_,
                               [](const auto& job) { return job.second.outcome.has_value(); });
}

std::vector<OrderOutcome> OrderedWork::outcomes() const {
    std::vector<OrderOutcome> all;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, job] : jobs_)
        if (job.outcome) all.push_back(*job.outcome);
    return all;
}

std::string OrderedWork::what_of(const ports::KernelNeed& need) const {
    const std::lock_guard lock(mutex_);
    const auto found = jobs_.find(id_of(work_of({need})));
    if (found == jobs_.end() || found->second.outcome) return "";
    const auto& row = found->second.row;
    if (row.state == WorkState::kLeased)
        return fmt::format("worker {} compiles its kernel (job {})", row.worker, found->first);
    const std::string last = row.said.empty() ? "" : ": the last attempt failed, " + row.said;
    return fmt::format("its kernel waits for a worker, esper forge --worker (job {}){}",
                       found->first, last);
}

}  // namespace esper::supply
