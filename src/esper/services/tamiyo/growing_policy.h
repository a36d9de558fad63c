#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "esper/services/tamiyo/admission.h"
#include "esper/services/tamiyo/analyzer.h"
#include "esper/services/tamiyo/policy.h"
#include "esper/services/tamiyo/tournament.h"
#include "esper/services/tamiyo/trend.h"

namespace esper::tamiyo {

/// The common part of all policies that germinate seeds: Admission, Tournament, HealthAnalyzer and
/// the trend of the loss. A derived policy only says when to germinate.
class GrowingPolicy : public Policy {
  public:
    GrowingPolicy(const configs::GrowthConfig& growth, const configs::ControllerConfig& controller,
                  const RunShape& run);

    std::vector<std::size_t> nominees(const ControllerView& view) const override;
    std::vector<Decision> decide(const ControllerView& view) override;
    std::string waiting_for() const override { return waiting_for_; }
    nlohmann::json save() const override;
    Status restore(const nlohmann::json& state) override;

  protected:
    /// Whether an entrant germinates now, why (or why not), and the numbers behind it.
    struct Answer {
        bool yes = false;
        std::string why;
        std::map<std::string, double> evidence = {};
    };
    /// Whether a seed may germinate at this boundary. Asked before the candidates' gains are
    /// measured.
    virtual Answer when(const ControllerView& view) const = 0;
    /// Whether this entrant germinates. Asked for each entrant in turn if `when` said yes; the
    /// answer is the same for all that are no shams and whose gain was not measured. `now`: the
    /// loss's.
    virtual Answer whether(const ControllerView& view, const Entrant& entrant, const Answer& moment,
                           const Trend& now) const;
    /// The order in which entrants are asked.
    virtual std::vector<Entrant> line_up(const ControllerView& view) const;
    /// False when the policy does not use predicted gains.
    virtual bool measures() const { return true; }

    /// The validation loss since seeds last changed the network.
    Trend trend(const ControllerView& view) const;
    Answer plateau(const Trend& now) const;

    const configs::ControllerConfig& config() const { return config_; }
    const RunShape& run() const { return run_; }
    const Admission& admission() const { return admission_; }
    const Tournament& tournament() const { return tournament_; }
    /// Step at which a candidate's gain was last measured.
    std::optional<std::int64_t> measured_at() const { return measured_at_; }

  private:
    void observe(const ControllerView& view);

    configs::ControllerConfig config_;
    RunShape run_;
    Admission admission_;
    Tournament tournament_;
    HealthAnalyzer health_;
    std::int64_t seen_epoch_ = -1;
    /// The last epoch in which a seed was being blended, which moves the loss.
    std::int64_t blended_epoch_ = -1;
    std::optional<std::int64_t> measured_at_;
    std::string waiting_for_;
};

std::unique_ptr<Policy> make_heuristic_policy(const configs::GrowthConfig&,
                                              const configs::ControllerConfig&, const RunShape&);
std::unique_ptr<Policy> make_periodic_policy(const configs::GrowthConfig&,
                                             const configs::ControllerConfig&, const RunShape&);
std::unique_ptr<Policy> make_plateau_policy(const configs::GrowthConfig&,
                                            const configs::ControllerConfig&, const RunShape&);
std::unique_ptr<Policy> make_random_policy(const configs::GrowthConfig&,
                                           const configs::ControllerConfig&, const RunShape&);

}  // namespace esper::tamiyo
