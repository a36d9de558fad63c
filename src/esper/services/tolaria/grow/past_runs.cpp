#include "esper/services/tolaria/grow/past_runs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

namespace esper::tolaria {

using nlohmann::json;

namespace {

constexpr double kShare = 0.25;
constexpr double kDoubt = 0.2;

/// The chance of at most `successes` in `trials` that succeed with kShare each.
double chance_of_at_most(std::int64_t successes, std::int64_t trials) {
    double chance = 0;
    for (std::int64_t k = 0; k <= successes; ++k) {
        const auto n = static_cast<double>(trials), of = static_cast<double>(k);
        chance += std::exp(std::lgamma(n + 1) - std::lgamma(of + 1) - std::lgamma(n - of + 1) +
                           of * std::log(kShare) + (n - of) * std::log1p(-kShare));
    }
    return chance;
}

double share_of(const PastBlueprint& p) {
    return p.runs > 0 ? static_cast<double>(p.runs_chosen) / static_cast<double>(p.runs) : 0;
}

}  // namespace

std::string host_kind(const configs::EsperConfig& config) {
    return config.model.path.empty() ? std::string(contracts::to_text(config.model.host)) : "file";
}

void mark_unlikely(std::vector<PastBlueprint>& past) {
    std::map<std::string, double> best;
    for (const auto& p : past) best[p.anchor_kind] = std::max(best[p.anchor_kind], share_of(p));
    for (auto& p : past)
        p.unlikely =
            share_of(p) < best[p.anchor_kind] && chance_of_at_most(p.runs_chosen, p.runs) < kDoubt;
}

Status PastRuns::ask(Moment now) {
    if (!supply_ || past_) return {};
    past_.emplace();
    for (auto& known : supply_->past_candidates(host_))
        past_->push_back({known.blueprint, known.anchor_kind, known.runs, known.runs_chosen});
    mark_unlikely(*past_);
    if (past_->empty()) return {};
    json rows = json::array();
    for (const auto& p : *past_)
        rows.push_back({{"blueprint", p.blueprint},
                        {"anchor_kind", p.anchor_kind},
                        {"runs", p.runs},
                        {"runs_chosen", p.runs_chosen},
                        {"unlikely", p.unlikely}});
    return event_("past_runs", now, {{"blueprints", std::move(rows)}});
}

bool PastRuns::is_unlikely(graph::AnchorKind kind, const std::string& blueprint) const {
    return past_ && std::ranges::any_of(*past_, [&](const PastBlueprint& p) {
               return p.unlikely && p.blueprint == blueprint &&
                      p.anchor_kind == graph::anchor_kind_name(kind);
           });
}

}  // namespace esper::tolaria
