#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "esper/services/ports/event_log.h"
#include "esper/services/tolaria/grow/seed_lives.h"

namespace esper::tolaria {

/// The caller's side of a foreign host. It measures; only `settle` changes the host.
class HostRunner {
  public:
    HostRunner() = default;
    virtual ~HostRunner() = default;
    HostRunner(const HostRunner&) = delete;
    HostRunner& operator=(const HostRunner&) = delete;

    virtual Result<HostCost> cost(const graph::Program& program) = 0;
    /// The loss of each probe example in evaluation mode, always in the same order, with controls
    /// as they are in the store.
    virtual Result<std::vector<float>> probe_losses(const graph::ProgramPtr& program) = 0;
    /// Gathers the host's running statistics again, in its present network `program`.
    virtual Status settle(const graph::ProgramPtr& program) = 0;
};

/// Measures a host by asking a HostRunner. Candidates are not measured beforehand and no fork is
/// trained, since both would need the caller's training data; the gates are the same.
class ForeignMeasurer final : public Measurer {
  public:
    ForeignMeasurer(const configs::EsperConfig& config, RunLength length, SeedPlaces& places,
                    HostRunner& runner)
        : config_(config), length_(length), places_(places), runner_(runner) {}

    Result<HostCost> cost(const graph::Program& program) override { return runner_.cost(program); }
    /// The learning rate is the caller's affair: it closes nothing here.
    bool may_grow(Moment) const override { return true; }
    std::int64_t total_steps(Moment) const override { return length_.total_steps; }
    Result<GateLooks> look(const tamiyo::LookRequest& request, Moment now) override;
    Result<FirstReadout> first_readout(std::uint32_t slot, const blueprints::Blueprint& blueprint,
                                       Moment now) override;
    Status settle_statistics(Moment) override { return runner_.settle(places_.program()); }

  private:
    const configs::EsperConfig& config_;
    RunLength length_;
    SeedPlaces& places_;
    HostRunner& runner_;
};

/// Growth of a host that Esper does not run (core/foreign_host.h).
class ForeignGrowth {
  public:
    struct Context {
        const configs::EsperConfig& config;
        graph::TensorStore& store;
        HostRunner& runner;
        ports::EventLog& log;
        RunLength length;
    };
    /// `host` must already be in the store. Errors: kUnsupported when no anchor fits
    /// growth.anchors.
    static Result<std::unique_ptr<ForeignGrowth>> create(const Context& context,
                                                         const graph::ProgramPtr& host);
    ForeignGrowth(const ForeignGrowth&) = delete;
    ForeignGrowth& operator=(const ForeignGrowth&) = delete;

    execution::KasminaLayer& kasmina() { return places_->kasmina(); }
    const graph::ProgramPtr& program() const { return places_->program(); }
    SeedCounts counts() const { return lives_->counts(); }
    std::string waiting_for() const { return lives_->waiting_for(); }
    Result<blueprints::Blueprint> blueprint_for(std::uint32_t slot, const std::string& name) const {
        return places_->blueprint_for(slot, name);
    }

    struct Losses {
        const std::vector<double>& train;  ///< one an epoch; not finite: not measured
        const std::vector<double>& validation;
    };
    /// Everything that happens between two epochs. Errors: kUnsupported when the probe set is not
    /// the same each time; those of the HostRunner.
    Status at_boundary(std::int64_t step, const Losses& losses);
    /// growth.readout of a seed that was germinated by hand: zeros where it asks for them.
    Status set_first_values(std::uint32_t slot, const std::string& seed,
                            const blueprints::Blueprint& blueprint);
    /// Between two steps: the seed failed; identity path, CULLED with embargo.
    Status take_out(const std::string& seed, const std::string& reason, std::int64_t step);

    nlohmann::json save() const;
    /// Takes over a saved state; seeds' tensors must be in the store already.
    Status restore(const nlohmann::json& state, graph::ProgramPtr program);

  private:
    explicit ForeignGrowth(const Context& context) : context_(context) {}
    Moment moment(std::int64_t step) const {
        return {step, static_cast<std::uint32_t>(step / context_.length.steps_per_epoch)};
    }

    struct Saved {
        std::int64_t version = kGrowthVersion;
        SavedLives lives;

        template <typename Self, typename Visitor>
        static void fields(Self& self, Visitor& visit) {
            visit("version", self.version);
            visit("lives", self.lives);
        }
    };

    Context context_;
    std::unique_ptr<SeedPlaces> places_;
    std::unique_ptr<ForeignMeasurer> measurer_;
    std::unique_ptr<SeedLives> lives_;
};

}  // namespace esper::tolaria
