#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "esper/blueprints/catalogue.h"
#include "esper/configs/config.h"
#include "esper/execution/kasmina_layer.h"
#include "esper/services/tamiyo/controller.h"
#include "esper/services/tolaria/growth.h"

namespace esper::tolaria {

/// Price of one example through the host with the seeds of a Program, and the size of both.
struct HostCost {
    double forward_flops = 0;
    double parameters = 0;
};

/// Whoever runs a foreign host. Measures; never changes host or seeds.
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
};

/// Growth of a host that Esper does not run (core/foreign_host.h): the same controller, seeds and
/// journal as in Growth, with the host's measurements asked of a HostRunner. Candidates are not
/// measured beforehand and no fork is trained, since both would need the caller's training data;
/// the gates are the same.
class ForeignGrowth {
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

    execution::KasminaLayer& kasmina() { return *kasmina_; }
    const graph::ProgramPtr& program() const { return kasmina_->program(); }

    struct Losses {
        const std::vector<double>& train;  ///< one an epoch; not finite: not measured
        const std::vector<double>& validation;
    };
    /// Everything that happens between two epochs.
    Status at_boundary(std::int64_t step, const Losses& losses);
    /// Between two steps: the seed failed; identity path, CULLED with embargo.
    Status take_out(const std::string& seed, const std::string& reason, std::int64_t step);

    Result<blueprints::Blueprint> blueprint_for(std::uint32_t slot, const std::string& name);
    const SeedCounts& counts() const { return counts_; }

    nlohmann::json save() const;
    /// Takes over a saved state; seeds' tensors must be in the store already.
    Status restore(const nlohmann::json& state, graph::ProgramPtr program);

  private:
    explicit ForeignGrowth(const Context& context) : context_(context) {}
    Result<tamiyo::ControllerView> view(std::int64_t step, const Losses& losses);
    Status add_candidates(tamiyo::ControllerView& view);
    Result<tamiyo::GateResult> look(const tamiyo::LookRequest& request);
    Status carry_out(const tamiyo::Decision& decision, std::int64_t step);
    Status germinate(const tamiyo::Decision& decision, std::int64_t step, std::uint32_t epoch);

    struct Added {
        double flops = 0;
        double parameters = 0;
    };
    Context context_;
    double host_flops_ = 0;
    std::unique_ptr<execution::KasminaLayer> kasmina_;
    std::unique_ptr<tamiyo::Controller> controller_;
    SeedCounts counts_;
    std::map<std::uint32_t, Added> added_;  ///< by slot, of the seed in it
    std::map<std::uint32_t, bool> sham_;
    std::vector<blueprints::Chunk> chunks_;  ///< by slot
};

}  // namespace esper::tolaria
