#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "esper/configs/config.h"
#include "esper/services/tamiyo/controller.h"
#include "esper/services/tolaria/grow/measurer.h"
#include "esper/services/tolaria/grow/saved_lives.h"
#include "esper/services/tolaria/grow/seed_places.h"
#include "esper/services/tolaria/host/setup.h"

namespace esper::tolaria {

/// Numbers of a run's seeds. Every seed that germinated is in flight or counted in one of the other
/// fields.
struct SeedCounts {
    int germinated = 0, fossilized = 0, culled = 0, cancelled = 0, rolled_back = 0;
};

/// Runs the lives of a run's seeds, for hosts that Esper runs and for foreign ones. It builds the
/// controller's view, takes the requested looks through the Measurer, and carries out the decisions
/// through KasminaLayer. Writes each look, decision and change of state as an event.
class SeedLives {
  public:
    struct Context {
        const configs::EsperConfig& config;
        RunLength length;
        SeedPlaces& places;
        Measurer& measurer;
        EventSink event;
        /// Told of each seed as soon as it sits in the Program; may be empty.
        std::function<Status(std::uint32_t slot, const blueprints::Blueprint&, Moment)> germinated =
            {};
        /// Whether past runs speak against a blueprint; may be empty.
        std::function<bool(graph::AnchorKind, const std::string& blueprint)> unlikely = {};
    };
    /// Errors: those of Measurer::cost.
    static Result<std::unique_ptr<SeedLives>> create(const Context& context);
    SeedLives(const SeedLives&) = delete;
    SeedLives& operator=(const SeedLives&) = delete;

    /// Losses of the epochs so far; nothing where one was not measured.
    using LossCurve = std::vector<std::optional<double>>;
    /// Takes looks and carries out decisions at a boundary until there are no more.
    Status at_boundary(Moment now, const LossCurve& train, const LossCurve& validation);

    SeedCounts counts() const;
    /// Why nothing germinated at the last boundary, one sentence.
    std::string waiting_for() const {
        return paused_ ? "growth is paused" : controller_->waiting_for();
    }
    /// While it is paused nothing germinates.
    void pause(bool paused) { paused_ = paused; }
    bool is_paused() const { return paused_; }

    /// A seed was culled beside the controller, because it failed.
    void count_culled() { ++ends_.culled; }
    /// The blueprint is not tried at this slot again; after three slots it is tried nowhere.
    void exclude(std::uint32_t slot, const std::string& blueprint) {
        excluded_.push_back({slot, blueprint});
    }

    // A rollback (see Growth).
    std::int64_t germinations() const { return controller_->lifecycle().germinations(); }
    /// The names of `names` seeds and the gates' error of `germinations` have been spent; the seeds
    /// that the restored state does not know were rolled back.
    void take_over(std::uint32_t names, std::int64_t germinations);
    /// Shuts the slot for good, taking out what is in it.
    Status roll_back(std::uint32_t slot, Moment now, const std::string& reason);

    SavedLives save() const;
    /// Seeds' tensors must be in the store already. Errors: kBadCheckpoint.
    Status restore(const SavedLives& state, graph::ProgramPtr program);

  private:
    explicit SeedLives(const Context& context);
    execution::KasminaLayer& kasmina() const { return context_.places.kasmina(); }
    const graph::ProgramPtr& program() const { return context_.places.program(); }
    bool is_excluded(std::uint32_t slot, const std::string& blueprint) const;
    Status take_looks(tamiyo::ControllerView& view, Moment now);
    Status measure_nominees(tamiyo::ControllerView& view, Moment now);
    // seed_candidates.cpp
    Result<tamiyo::ControllerView> view(Moment now, const LossCurve& train,
                                        const LossCurve& validation);
    Status add_candidates(tamiyo::ControllerView& view);
    // seed_commands.cpp
    Status carry_out(const tamiyo::Decision& decision, Moment now);
    Status germinate(const tamiyo::Decision& decision, Moment now);
    Status graft(const tamiyo::Decision& decision, Moment now);
    Status set_readout(const std::string& seed, const blueprints::Blueprint& blueprint,
                       const FirstReadout& readout);

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

    Context context_;
    std::unique_ptr<tamiyo::Controller> controller_;
    double host_flops_ = 0;
    std::map<std::uint32_t, Addition> in_slot_;  ///< of the seed there, relative to the network
    std::map<Place, Addition> additions_;
    SeedEnds ends_;
    std::vector<Exclusion> excluded_;
    bool paused_ = false;
};

}  // namespace esper::tolaria
