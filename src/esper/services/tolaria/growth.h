#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "esper/configs/config.h"
#include "esper/execution/kasmina_layer.h"
#include "esper/services/tamiyo/controller.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/engine.h"
#include "esper/services/tolaria/readout.h"
#include "esper/services/tolaria/run_folder.h"
#include "esper/services/tolaria/setup.h"

namespace esper::tolaria {

/// What the growth of a run came to so far.
struct SeedCounts {
    int germinated = 0, fossilized = 0, culled = 0, cancelled = 0, rolled_back = 0;
};

/// Carries a run's growth: at each epoch boundary it shows the controller the state of things,
/// takes the measurements the controller asks for on the probe part, and has Kasmina carry out what
/// the controller decides. Every decision goes into events.jsonl with its evidence.
class Growth {
  public:
    struct Context {
        const configs::EsperConfig& config;
        graph::TensorStore& store;
        Engine& engine;
        const Dataset& dataset;
        RunFolder& folder;
        RunLength length;
        LearningRateSchedule schedule;
    };
    /// `host` must already be in the store. Errors: kUnsupported when no anchor fits
    /// growth.anchors.
    static Result<std::unique_ptr<Growth>> create(const Context& context,
                                                  const graph::ProgramPtr& host);

    execution::KasminaLayer& kasmina() { return *kasmina_; }
    const graph::ProgramPtr& program() const { return kasmina_->program(); }

    struct Losses {
        const std::vector<double>& train;
        const std::vector<double>& validation;
    };
    /// Everything that happens between two epochs.
    Status at_boundary(std::int64_t step, const Losses& losses);

    /// Between two steps: culls seeds whose gradient is not finite. `blocks`: names of such blocks.
    Status take_out_faulty(const std::vector<std::string>& blocks, std::int64_t step);

    const SeedCounts& counts() const { return counts_; }
    /// FLOPs spent on measurements since the last call.
    double take_flops() { return std::exchange(flops_, 0.0); }

    nlohmann::json save() const;
    /// Takes over a saved state; seeds' tensors must be in the store already.
    Status restore(const nlohmann::json& state, graph::ProgramPtr program);

  private:
    explicit Growth(const Context& context) : context_(context) {}
    Result<tamiyo::ControllerView> view(std::int64_t step, const Losses& losses);
    Status add_candidates(tamiyo::ControllerView& view);
    Result<double> relative_flops(const graph::Program& program) const;
    Result<std::vector<float>> probe_losses(const graph::ProgramPtr& program);
    Result<tamiyo::GateResult> look(const tamiyo::LookRequest& request);
    Status measure(tamiyo::Candidate& candidate, std::int64_t step);
    Status sample_before_growth(std::int64_t step, std::int64_t epoch);
    Status carry_out(const tamiyo::Decision& decision, std::int64_t step);
    Status germinate(const tamiyo::Decision& decision, std::int64_t step, std::uint32_t epoch);
    Result<blueprints::Blueprint> blueprint_for(std::uint32_t slot, const std::string& name);

    struct Added {
        double flops = 0;
        double parameters = 0;
    };
    Context context_;
    graph::ProgramPtr host_;
    double host_flops_ = 0;
    std::unique_ptr<execution::KasminaLayer> kasmina_;
    std::unique_ptr<tamiyo::Controller> controller_;
    std::vector<std::uint32_t> probe_order_;
    SeedCounts counts_;
    double flops_ = 0;
    std::map<std::uint32_t, Added> added_;  ///< by slot, of the seed in it
    std::map<std::uint32_t, bool> sham_;
    std::map<std::pair<std::uint32_t, std::string>, ReadoutFit> fits_;  ///< of this boundary
};

}  // namespace esper::tolaria
