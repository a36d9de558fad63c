#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "esper/engine/tensor_store.h"
#include "esper/execution/kasmina/kasmina_grafting.h"
#include "esper/execution/kasmina/moment.h"
#include "esper/execution/states/state_layout.h"
#include "esper/program/edits/edits.h"

namespace esper::execution {

/// A slot of the host and its seed.
struct SeedSlot {
    std::uint32_t index = 0;
    std::string anchor;
    /// Name of the seed in the Program while one is awake or fossilized; "" while dormant.
    std::string seed;
    std::string blueprint;
    /// Tells blueprints' content apart: the first 64 bits of the hash of the blueprint's Program.
    std::uint64_t kernel_id = 0;
    std::int64_t entered_step = 0;  ///< when the present state was entered
    RampClock ramp;
};

/// How the trainer must treat a seed's parameters in the next step.
struct SeedTreatment {
    bool isolated = false;  ///< its gradient is clipped on its own
    bool frozen = false;
    bool ramping = false;  ///< no weight decay
    bool fossilized = false;
};

/// Kasmina: the seeds of one host. It owns the current Program with all awake seeds, their states
/// and their α; others read the Program here or receive it through on_program. Every change is a
/// legal transition (docs/growth.md) together with an edit of the Program; if one of them fails,
/// nothing changes. Call it between steps only (the trainer does so at epoch boundaries). Not
/// thread-safe, except that any thread may read the state table.
class KasminaLayer {
  public:
    /// Called after an edit, with the Program it led to (the journal).
    using EditListener =
        std::function<Status(const graph::Edit&, const graph::Program& after, std::string reason)>;
    /// Called whenever the Program has become another one.
    using ProgramListener = std::function<void(const graph::ProgramPtr&)>;
    /// Called after a seed has gone from one state to another.
    using MoveListener = std::function<Status(const SeedSlot&, SeedState from, Moment)>;

    /// One slot per name in `anchors`. `host` must already be in `store`.
    KasminaLayer(graph::ProgramPtr host, std::vector<std::string> anchors,
                 graph::TensorStore& store);

    void on_edit(EditListener listener) { edited_ = std::move(listener); }
    void on_program(ProgramListener listener) { changed_ = std::move(listener); }
    void on_move(MoveListener listener) { moved_ = std::move(listener); }

    const graph::ProgramPtr& program() const { return program_; }
    const std::vector<SeedSlot>& slots() const { return slots_; }
    /// The name that the next seed to germinate will have (its parameters are drawn by name).
    std::string next_seed() const { return "s" + std::to_string(germinated_ + 1); }
    /// How many names have been given; `skip_names` gives none of the first `n` again.
    std::uint32_t germinated() const { return germinated_; }
    void skip_names(std::uint32_t n) { germinated_ = std::max(germinated_, n); }
    SeedState state(std::uint32_t slot) const { return table_->state(slot); }
    const StateTable& table() const { return *table_; }

    /// DORMANT → GERMINATED → LOADING → TRAINING (GRAFTING for a blueprint without parameters), all
    /// in this call, since nothing has to be compiled or fetched: puts `blueprint` at the slot's
    /// anchor in isolation and initialises its parameters as the block `seed.<name>`. Errors:
    /// StateError, GraphError.
    Status germinate(std::uint32_t slot, const std::string& blueprint_name,
                     const graph::ProgramPtr& blueprint, bool has_parameters, Moment now,
                     const std::string& reason);
    /// TRAINING → GRAFTING: blended in from α = 0 over `ramp_steps`.
    Status graft(std::uint32_t slot, contracts::GraftingStrategy strategy, std::int64_t ramp_steps,
                 Moment now, const std::string& reason);
    /// GRAFTING → STABILIZATION → EVALUATING → FINE_TUNING: no edit of the Program.
    Status advance(std::uint32_t slot, SeedState to, Moment now);
    /// EVALUATING or FINE_TUNING → FOSSILIZED: α folded away.
    Status fossilize(std::uint32_t slot, Moment now, const std::string& reason);
    /// Any awake state → CULLED: taken out of Program and store.
    Status cull(std::uint32_t slot, std::uint32_t embargo_epochs, Moment now,
                const std::string& reason);
    /// GERMINATED or TRAINING → CANCELLED: taken out before it touched the host.
    Status cancel(std::uint32_t slot, Moment now, const std::string& reason);
    /// CULLED or CANCELLED → DORMANT.
    Status wake(std::uint32_t slot, Moment now);
    /// Handles a seed's failure: removes it at once, through ERROR_RECOVERY if that is a legal
    /// move, to CULLED.
    Status fault(std::uint32_t slot, std::uint32_t embargo_epochs, Moment now,
                 const std::string& reason);

    /// Any state but FOSSILIZED → ROLLED_BACK, for good, because of a rollback. Removes the slot's
    /// seed from Program and store.
    Status roll_back(std::uint32_t slot, Moment now, const std::string& reason);

    /// A block of the host becomes two (graph::SplitBlock); seeds stay where they are. The caller
    /// gives the copy its tensors. Errors: GraphError.
    Status split(const graph::SplitBlock& split, const std::string& reason);
    /// Adds dormant slots after the others, one per anchor.
    Status add_slots(const std::vector<std::string>& anchors);

    /// Call after each training step: advances the ramps and sets α for the next step.
    Status tick(double loss);
    /// Sets a blended seed's α for a measurement; restore with the ramp's own value.
    Status set_alpha(std::uint32_t slot, double alpha);

    /// The seed's native kernel ran clean since the last boundary, so fast. For the state table.
    Status note_kernel_use(const std::string& seed, double mean_us, Moment now);
    /// It failed: the operators compute the seed from now on.
    Status note_kernel_error(const std::string& seed, Moment now);

    /// Treatment of a store block; nothing for the host's.
    std::optional<SeedTreatment> treatment(const std::string& block) const;

    nlohmann::json to_json() const;
    /// Takes over states and names; `program` is the one saved with them, whose tensors are in the
    /// store. Errors: those of read_saved_kasmina and parse_snapshot; kSizeMismatch.
    Status restore(const nlohmann::json& json, graph::ProgramPtr program);

  private:
    const SeedSlot* slot_of(const std::string& seed) const;
    Status move(SeedSlot& slot, SeedState to, Moment now, std::uint32_t embargo = 0);
    Status leave(SeedSlot& slot, SeedState to, Moment now, std::uint32_t embargo = 0);
    void become(graph::ProgramPtr program);
    Status edit(const graph::Edit& edit, const std::string& reason);
    Status take_out(SeedSlot& slot, const std::string& reason);

    graph::ProgramPtr program_;
    graph::TensorStore* store_;
    std::unique_ptr<StateTable> table_;
    std::vector<SeedSlot> slots_;
    std::uint32_t germinated_ = 0;
    EditListener edited_;
    ProgramListener changed_;
    MoveListener moved_;
};

}  // namespace esper::execution
