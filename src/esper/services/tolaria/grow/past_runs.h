#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "esper/base/declared_state.h"
#include "esper/configs/config.h"
#include "esper/program/program.h"
#include "esper/services/ports/kernel_supply.h"
#include "esper/services/tolaria/grow/measurer.h"

namespace esper::tolaria {

/// What past runs say of a blueprint.
struct PastBlueprint {
    std::string blueprint, anchor_kind;
    std::int64_t runs = 0;         ///< that measured candidates of it
    std::int64_t runs_chosen = 0;  ///< of these, in which one germinated
    bool unlikely = false;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("blueprint", self.blueprint);
        visit("anchor_kind", self.anchor_kind);
        visit("runs", self.runs);
        visit("runs_chosen", self.runs_chosen);
        visit("unlikely", self.unlikely);
    }
};

/// The kind of a run's host, e.g. `gpt`; `file` for one that was read.
std::string host_kind(const configs::EsperConfig& config);

/// A blueprint is unlikely if, with a confidence of 80 %, less than a quarter of the runs that
/// measured it chose it (a one-sided exact binomial test). The most chosen of a kind of anchor
/// never is.
void mark_unlikely(std::vector<PastBlueprint>& past);

/// What the library's past runs say of the blueprints that could germinate in this one
/// (controller.tournament.past_runs). The library is asked once, at the run's first boundary; the
/// answer is written down and saved, so that a resumed run decides by the same.
class PastRuns {
  public:
    /// `supply` null: nothing is known.
    PastRuns(std::shared_ptr<ports::KernelSupply> supply, std::string host, EventSink event)
        : supply_(std::move(supply)), host_(std::move(host)), event_(std::move(event)) {}

    /// Written down as `past_runs` where something is known.
    Status ask(Moment now);
    bool is_unlikely(graph::AnchorKind kind, const std::string& blueprint) const;

    const std::optional<std::vector<PastBlueprint>>& save() const { return past_; }
    void restore(std::optional<std::vector<PastBlueprint>> past) { past_ = std::move(past); }

  private:
    std::shared_ptr<ports::KernelSupply> supply_;
    std::string host_;
    EventSink event_;
    std::optional<std::vector<PastBlueprint>> past_;  ///< nothing: not asked yet
};

}  // namespace esper::tolaria
