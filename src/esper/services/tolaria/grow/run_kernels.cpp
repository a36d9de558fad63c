#include "esper/services/tolaria/grow/run_kernels.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "esper/base/text.h"
#include "esper/configs/run.h"
#include "esper/program/edits/edits.h"
#include "esper/program/shapes.h"
#include "esper/program/text/text_format.h"
#include "esper/services/tolaria/grow/kernel_fault.h"

namespace esper::tolaria {

using nlohmann::json;
using ports::KernelNeed;

namespace {

// Runs with more different branches than this have the first ones compiled.
constexpr std::size_t kMostOrders = 64;

/// Sizes of one sample of what a seed on a chunk of the features reads; nothing where height, width
/// or the number of tokens is free.
std::optional<std::vector<std::int64_t>> sample_of(const graph::TensorType& anchor,
                                                   graph::AnchorKind kind, std::int64_t features) {
    if (anchor.shape.size() < 2) return {};
    std::vector<std::int64_t> sample(anchor.shape.begin() + 1, anchor.shape.end());
    (kind == graph::AnchorKind::kImage ? sample.front() : sample.back()) = features;
    if (std::ranges::any_of(sample, [](std::int64_t size) { return size < 1; })) return {};
    return sample;
}

}  // namespace

RunKernels::RunKernels(Run run, std::shared_ptr<ports::KernelSupply> supply,
                       std::shared_ptr<graph::SeedKernels> book, EventSink event)
    : run_(std::move(run)),
      supply_(std::move(supply)),
      book_(std::move(book)),
      event_(std::move(event)) {
    if (!run_.enabled)
        unavailable_ = "growth.kernels is false";
    else if (!supply_)
        unavailable_ = "this run was started without a library of kernels";
    if (!unavailable_.empty()) supply_.reset();
}

KernelNeed RunKernels::need_of(const graph::SeedBranch& branch, const std::string& blueprint,
                               graph::AnchorKind kind,
                               const std::vector<std::int64_t>& sample) const {
    return {branch.program->hash().hex(),
            graph::to_text(*branch.program),
            blueprint,
            std::string(graph::anchor_kind_name(kind)),
            run_.precision,
            sample,
            run_.samples};
}

Status RunKernels::begin(const SeedPlaces& places) {
    if (!supply_) return {};
    ESPER_TRY(const auto types, graph::infer_types(*places.program()));
    std::set<std::tuple<graph::AnchorKind, std::vector<std::int64_t>, std::string>> seen;
    std::vector<KernelNeed> needs;
    for (const auto& slot : places.slots()) {
        const auto* anchor = places.program()->find_anchor(slot.anchor);
        anchor_kinds_[slot.anchor] = graph::anchor_kind_name(anchor->kind);
        const auto& type = types[anchor->value.value()];
        const auto& chunk = places.chunk(slot.index);
        const auto sample = sample_of(type, anchor->kind, chunk.end - chunk.begin);
        if (!sample) continue;
        for (const auto& name : blueprints::blueprint_names(anchor->kind)) {
            if (!run_.blueprints.empty() && !glob_match_any(run_.blueprints, name)) continue;
            if (needs.size() >= kMostOrders || !seen.insert({anchor->kind, *sample, name}).second)
                continue;
            const auto blueprint = places.blueprint_of(type, slot.index, name);
            if (!blueprint) continue;  // it does not fit here
            const auto branch = graph::blueprint_branch(*blueprint->program, *sample);
            if (branch) needs.push_back(need_of(*branch, name, anchor->kind, *sample));
        }
    }
    unavailable_ = supply_->want(needs);
    return {};
}

Status RunKernels::decide(const SeedPlaces& places, std::uint32_t slot,
                          const blueprints::Blueprint& made, Moment now) {
    const auto& seed = places.slots()[slot];
    const auto* anchor = places.program()->find_anchor(seed.anchor);
    SeedKernelChoice choice;
    choice.seed = seed.seed;
    choice.anchor = seed.anchor;
    choice.blueprint = made.name;
    ports::KernelAnswer answer;
    const auto type = made.program->inputs()[0].type;
    const auto& chunk = places.chunk(slot);
    const auto sample = sample_of(type, anchor->kind, chunk.end - chunk.begin);
    if (!supply_) {
        answer.why = unavailable_;
    } else if (!sample) {
        answer.why = "the sizes at its anchor are not fixed";
    } else {
        const auto branch = graph::blueprint_branch(*made.program, *sample);
        if (branch) {
            choice.sample = *sample;
            choice.branch = branch->program->hash().hex();
            answer = supply_->offer(need_of(*branch, made.name, anchor->kind, *sample));
            if (!answer.kernel && !unavailable_.empty() && answer.why != unavailable_)
                answer.why += "; " + unavailable_;
        } else {
            answer.why = branch.error().message();
        }
    }
    refused_.insert(answer.refused.begin(), answer.refused.end());
    choice.why = answer.why;
    if (answer.kernel) {
        choice.kernel = answer.kernel->id;
        choice.object = answer.kernel->object;
        choice.gain = answer.kernel->gain;
        choice.gain_low = answer.kernel->gain_low;
        choice.gain_high = answer.kernel->gain_high;
        use(choice, *answer.kernel);
    }
    choices_.push_back(choice);
    json detail{{"seed", choice.seed},
                {"anchor", choice.anchor},
                {"blueprint", choice.blueprint},
                {"runs", choice.runs_kernel() ? "kernel" : "operators"},
                {"why", choice.why}};
    if (choice.runs_kernel()) {
        detail["kernel"] = choice.kernel;
        detail["object"] = choice.object;
        detail["gain"] = choice.gain;
        detail["gain_low"] = choice.gain_low;
        detail["gain_high"] = choice.gain_high;
    }
    if (!answer.refused.empty()) detail["refused"] = answer.refused;
    return event_("kernel", now, std::move(detail));
}

void RunKernels::use(const SeedKernelChoice& choice, const ports::SuppliedKernel& supplied) {
    auto kernel = std::make_shared<graph::BranchKernel>();
    kernel->id = supplied.id;
    kernel->info = supplied.info;
    kernel->forward = supplied.forward;
    kernel->backward = supplied.backward;
    kernel->library = supplied.keeps;
    const auto watch = std::make_shared<execution::KernelProbation>(
        run_.precision == contracts::to_text(configs::Precision::kBf16)
            ? graph::Precision::kBFloat16
            : graph::Precision::kFloat32);
    watches_[choice.seed] = watch;
    kernel->watch = watch;
    book_->set(choice.seed, {std::move(kernel), choice.branch, choice.sample});
}

std::vector<std::string> RunKernels::in_use() const {
    std::vector<std::string> failed;
    std::vector<std::string> others;
    for (const auto& [seed, used] : book_->all())
        (used.kernel->failed ? failed : others).push_back(seed);
    failed.insert(failed.end(), others.begin(), others.end());
    return failed;
}

void RunKernels::set_aside(const std::vector<std::string>& seeds) {
    aside_ = book_->all();
    for (const auto& seed : seeds) book_->remove(seed);
}

void RunKernels::put_back() { book_->replace_all(std::exchange(aside_, {})); }

Status RunKernels::take_out(const std::vector<std::string>& seeds, const std::string& reason,
                            Moment now) {
    std::map<std::string, std::string> bad;  // and what went wrong
    const auto look = [&](const std::map<std::string, graph::SeedKernel>& book) {
        for (const auto& [seed, used] : book) {
            if (!used.kernel->failed && std::ranges::find(seeds, seed) == seeds.end()) continue;
            auto& why = bad.try_emplace(used.kernel->id, reason).first->second;
            if (const auto& fault = used.kernel->fault; why.find(fault) == std::string::npos)
                why += ": " + fault;
        }
    };
    look(aside_);
    look(book_->all());
    aside_.clear();
    for (const auto& [kernel, why] : bad) {
        // A library that cannot be written keeps offering it; the run goes on all the same.
        const auto evicted =
            supply_ ? supply_->evict(kernel, "it failed in a run: " + why) : Status{};
        for (auto& choice : choices_) {
            if (choice.kernel != kernel || !choice.runs_kernel()) continue;
            book_->remove(choice.seed);
            choice.fault = why;
            if (run_.failed) ESPER_CHECK_STATUS(run_.failed(choice.seed, now));
            ESPER_CHECK_STATUS(event_(
                "kernel_fault", now,
                {{"seed", choice.seed},
                 {"anchor", choice.anchor},
                 {"blueprint", choice.blueprint},
                 {"kernel", kernel},
                 {"reason", why},
                 {"evicted",
                  evicted ? "for good" : "from this run only: " + evicted.error().message()}}));
        }
    }
    return {};
}

void RunKernels::restore(const std::vector<SeedKernelChoice>& choices) {
    choices_ = choices;
    lost_.clear();
    aside_.clear();
    book_->replace_all({});
    for (auto& choice : choices_) {
        if (!choice.runs_kernel()) continue;
        if (!supply_) {
            choice.fault = unavailable_;
        } else {
            KernelNeed need;
            need.branch = choice.branch;
            need.precision = run_.precision;
            need.sample = choice.sample;
            need.samples = run_.samples;
            if (const auto kernel = supply_->recall(choice.kernel, choice.object, need))
                use(choice, *kernel);
            else
                choice.fault = kernel.error().to_string();
        }
        if (!choice.fault.empty()) lost_.push_back(choice.seed);
    }
}

Status RunKernels::report_lost(Moment now) {
    for (const auto& seed : std::exchange(lost_, {})) {
        const auto choice = std::ranges::find(choices_, seed, &SeedKernelChoice::seed);
        ESPER_CHECK_STATUS(event_("kernel_fault", now,
                                  {{"seed", seed},
                                   {"anchor", choice->anchor},
                                   {"blueprint", choice->blueprint},
                                   {"kernel", choice->kernel},
                                   {"reason", std::string(kCannotBeHad) + choice->fault},
                                   {"evicted",
                                    "from this run; from here on its bits may differ "
                                    "from those of a run that was never stopped"}}));
    }
    return {};
}

std::map<std::string, double> RunKernels::latencies() const {
    std::map<std::string, double> found;
    for (const auto& [seed, used] : book_->all()) {
        const auto watch = watches_.find(seed);
        if (watch != watches_.end() && watch->second->use().calls > 0)
            found[seed] = watch->second->use().mean_us();
    }
    return found;
}

json RunKernels::summary() const {
    int used = 0;
    json seeds = json::array();
    for (const auto& choice : choices_) {
        used += choice.kernel.empty() ? 0 : 1;
        json row{{"seed", choice.seed},
                 {"blueprint", choice.blueprint},
                 {"anchor", choice.anchor},
                 {"kernel", choice.kernel.empty() ? json() : json(choice.kernel)},
                 {"branch", choice.branch},
                 {"sample", choice.sample},
                 {"why", choice.why}};
        if (!choice.kernel.empty()) {
            row["gain"] = choice.gain;
            row["gain_interval"] = {choice.gain_low, choice.gain_high};
        }
        if (!choice.fault.empty()) row["fault"] = choice.fault;
        seeds.push_back(std::move(row));
    }
    // Of the process that wrote this last: a resumed run counts anew.
    json use = json::object();
    for (const auto& [seed, watch] : watches_)
        use[seed] = {{"calls", watch->use().calls},
                     {"guarded", watch->use().guarded},
                     {"errors", watch->use().errors},
                     {"mean_us", watch->use().mean_us()},
                     {"unguarded", watch->unguarded()}};
    json made{{"enabled", run_.enabled},
              {"seeds_with_kernel", used},
              {"seeds_with_operators", static_cast<int>(choices_.size()) - used},
              {"refused", refused_},
              {"unavailable", unavailable_},
              {"seeds", seeds},
              {"use", use}};
    if (supply_) {
        const auto work = supply_->work();
        made["library_head"] = supply_->ledger_head();
        if (unavailable_.empty()) made["unavailable"] = supply_->want({});  // by now
        made["anchor_kinds"] = anchor_kinds_;
        made["forged"] = {{"ordered", work.asked},         {"faster", work.faster},
                          {"not_faster", work.not_faster}, {"unsupported", work.unsupported},
                          {"failed", work.failed},         {"finished", work.finished}};
    }
    return made;
}

}  // namespace esper::tolaria
