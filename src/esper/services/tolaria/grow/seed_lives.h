#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "esper/blueprints/catalogue.h"
#include "esper/configs/config.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "esper/services/tamiyo/controller.h"
#include "esper/services/tolaria/host/setup.h"

namespace esper::tolaria {

struct GateLooks;

/// What the growth of a run came to so far.
struct SeedCounts {
    int germinated = 0, fossilized = 0, culled = 0, cancelled = 0, rolled_back = 0;
};

/// Price of one example through the host with the seeds of a Program, and the size of both.
struct HostCost {
    double forward_flops = 0;
    double parameters = 0;
};

/// The lives of a run's seeds, whoever runs the host: shows the controller the slots and what could
/// germinate there, has the looks it asks for taken, and Kasmina carry out what it decides. How a
/// host is measured and what an edit means to it, its two kinds say: Growth and ForeignGrowth.
class SeedLives {
  public:
    virtual ~SeedLives() = default;
    SeedLives(const SeedLives&) = delete;
    SeedLives& operator=(const SeedLives&) = delete;

    execution::KasminaLayer& kasmina() { return *kasmina_; }
    const graph::ProgramPtr& program() const { return kasmina_->program(); }
    const SeedCounts& counts() const { return counts_; }
    /// Why nothing germinated at the last boundary, one sentence.
    std::string waiting_for() const { return controller_->waiting_for(); }
    /// A blueprint of that name, sized for the slot's anchor and chunk.
    Result<blueprints::Blueprint> blueprint_for(std::uint32_t slot, const std::string& name);

  protected:
    SeedLives(const configs::EsperConfig& config, RunLength length)
        : config_(config), length_(length) {}
    /// Finds the slots; `host` must already be in the store. Errors: kUnsupported when no anchor
    /// fits growth.anchors.
    Status find_slots(const graph::ProgramPtr& host, graph::TensorStore& store);

    /// Losses of the epochs so far; nothing where one was not measured.
    using LossCurve = std::vector<std::optional<double>>;
    /// All looks and decisions of a boundary, until there are no more.
    Status decide(std::int64_t step, const LossCurve& train, const LossCurve& validation);
    Status carry_out(const tamiyo::Decision& decision, std::int64_t step);
    /// Puts the seed in and counts it; one without parameters is blended in at once.
    Status germinate(const tamiyo::Decision& decision, const blueprints::Blueprint& blueprint,
                     std::int64_t step);

    virtual Result<HostCost> cost(const graph::Program& program) = 0;
    /// Whether new seeds may still come at this step.
    virtual bool may_grow_at(std::int64_t step) const = 0;
    virtual Result<GateLooks> look(const tamiyo::LookRequest& request, std::int64_t step) = 0;
    virtual Status event(const std::string& kind, std::int64_t step, nlohmann::json detail) = 0;
    /// Germinates with what the kind knows of first values.
    virtual Status plant(const tamiyo::Decision& decision, const blueprints::Blueprint& blueprint,
                         std::int64_t step) = 0;
    /// Puts predicted gains into the candidates that the controller nominates.
    virtual Status measure_nominees(tamiyo::ControllerView& view, std::int64_t step);
    virtual tamiyo::SlotSignals signals(std::uint32_t slot) const;
    virtual bool is_excluded(std::uint32_t slot, const std::string& blueprint) const;
    virtual Status before_germination(std::int64_t step);
    virtual Status before_graft(std::uint32_t slot, std::int64_t step);
    /// The host's running statistics no longer fit it.
    virtual Status statistics_shifted(std::int64_t step);

    /// The network that a look compares at α = 0 and 1. A seed in isolation is blended in for it,
    /// with an α in the store that the look has to take out again.
    Result<graph::ProgramPtr> blended_for(const tamiyo::LookRequest& request,
                                          graph::TensorStore& store) const;

    nlohmann::json save_lives() const;
    /// Seeds' tensors must be in the store already.
    Status restore_lives(const nlohmann::json& state, graph::ProgramPtr program);

    std::uint32_t epoch_of(std::int64_t step) const {
        return static_cast<std::uint32_t>(step / length_.steps_per_epoch);
    }

    std::unique_ptr<execution::KasminaLayer> kasmina_;
    std::unique_ptr<tamiyo::Controller> controller_;
    std::vector<blueprints::Chunk> chunks_;  ///< by slot
    std::map<std::uint32_t, bool> sham_;     ///< by slot, of the seed in it
    SeedCounts counts_;

  private:
    Result<tamiyo::ControllerView> view(std::int64_t step, const LossCurve& train,
                                        const LossCurve& validation);
    Status add_candidates(tamiyo::ControllerView& view);
    Status graft(const tamiyo::Decision& decision, std::int64_t step);

    /// What a seed would add, by all that decides it. A network of ten thousand equal places asks
    /// for it as often at every boundary.
    using Place = std::tuple<graph::AnchorKind, std::vector<std::int64_t>, std::int64_t,
                             std::int64_t, std::string>;
    struct Addition {
        double flops = 0;
        double parameters = 0;
        bool sham = false;
    };
    Result<Addition> addition(const execution::SeedSlot& slot, const std::string& blueprint,
                              const graph::TensorType& type, const HostCost& now);
    Result<blueprints::Blueprint> blueprint_of(graph::TensorType type, std::uint32_t slot,
                                               const std::string& name);

    struct Added {
        double flops = 0;
        double parameters = 0;
    };
    const configs::EsperConfig& config_;
    RunLength length_;
    double host_flops_ = 0;
    std::map<std::uint32_t, Added> added_;  ///< by slot, of the seed in it
    std::map<Place, Addition> additions_;
};

}  // namespace esper::tolaria
