#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "esper/services/tolaria/grow/seed_lives.h"

namespace esper::tolaria {

/// Whoever runs a foreign host. Measures; changes nothing of host and seeds but what `settle` says.
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
    /// The host's running statistics were gathered in another network than this one, which it now
    /// is: gathers them anew.
    virtual Status settle(const graph::ProgramPtr& program) = 0;
};

/// Growth of a host that Esper does not run (core/foreign_host.h): the host's measurements are
/// asked of a HostRunner. Candidates are not measured beforehand and no fork is trained, since both
/// would need the caller's training data; the gates are the same.
class ForeignGrowth final : public SeedLives {
  public:
    /// Takes one event: its kind, step, epoch and details.
    using EventListener =
        std::function<Status(const std::string&, std::int64_t, std::int64_t, nlohmann::json)>;
    struct Context {
        const configs::EsperConfig& config;
        graph::TensorStore& store;
        HostRunner& runner;
        EventListener event;
        RunLength length;
    };
    /// `host` must already be in the store. Errors: kUnsupported when no anchor fits
    /// growth.anchors.
    static Result<std::unique_ptr<ForeignGrowth>> create(const Context& context,
                                                         const graph::ProgramPtr& host);

    struct Losses {
        const std::vector<double>& train;  ///< one an epoch; not finite: not measured
        const std::vector<double>& validation;
    };
    /// Everything that happens between two epochs. Errors: kUnsupported when the probe set is not
    /// the same each time; those of the HostRunner.
    Status at_boundary(std::int64_t step, const Losses& losses);
    /// growth.readout of a seed that has germinated: zeros where it asks for them. A closed form
    /// needs the caller's training data; the blueprint's own values stay.
    void set_first_values(const std::string& seed, const blueprints::Blueprint& blueprint);
    /// Between two steps: the seed failed; identity path, CULLED with embargo.
    Status take_out(const std::string& seed, const std::string& reason, std::int64_t step);

    nlohmann::json save() const;
    /// Takes over a saved state; seeds' tensors must be in the store already.
    Status restore(const nlohmann::json& state, graph::ProgramPtr program);

  private:
    explicit ForeignGrowth(const Context& context)
        : SeedLives(context.config, context.length), context_(context) {}
    Result<HostCost> cost(const graph::Program& program) override;
    bool may_grow_at(std::int64_t step) const override;
    Status event(const std::string& kind, std::int64_t step, nlohmann::json detail) override;
    Result<GateLooks> look(const tamiyo::LookRequest& request, std::int64_t step) override;
    Status plant(const tamiyo::Decision& decision, const blueprints::Blueprint& blueprint,
                 std::int64_t step) override;
    Status statistics_shifted(std::int64_t step) override;

    Context context_;
};

}  // namespace esper::tolaria
