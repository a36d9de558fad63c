#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "esper/base/declared_state.h"
#include "esper/blueprints/catalogue.h"
#include "esper/engine/seed_kernels.h"
#include "esper/execution/kasmina/kernel_probation.h"
#include "esper/execution/kasmina/moment.h"
#include "esper/services/ports/kernel_supply.h"
#include "esper/services/tolaria/grow/measurer.h"
#include "esper/services/tolaria/grow/seed_places.h"

namespace esper::tolaria {

/// What a seed's branch is computed by: decided once, when it germinates.
struct SeedKernelChoice {
    std::string seed, anchor, blueprint;
    std::string kernel;  ///< the artifact's id; "": the operators
    std::string object;  ///< SHA-256 of its object
    std::string why;
    double gain = 0, gain_low = 0, gain_high = 0;  ///< as the gauntlet measured it
    std::string branch;                            ///< hash of the branch's Program
    std::vector<std::int64_t> sample;              ///< sizes of one sample of its input
    std::string fault;  ///< why the kernel computes it no longer, "" while it does

    bool runs_kernel() const { return !kernel.empty() && fault.empty(); }

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("seed", self.seed);
        visit("anchor", self.anchor);
        visit("blueprint", self.blueprint);
        visit("kernel", self.kernel);
        visit("object", self.object);
        visit("why", self.why);
        visit("gain", self.gain);
        visit("gain_low", self.gain_low);
        visit("gain_high", self.gain_high);
        visit("branch", self.branch);
        visit("sample", self.sample);
        visit("fault", self.fault);
    }
};

/// The native kernels of a run's seeds: has them compiled in the background, decides for each seed
/// at its germination whether a kernel or the operators compute it, and keeps that decision, so
/// that a resumed run computes the same bits. Every kernel is on probation first.
class RunKernels {
  public:
    /// Hears that a seed's kernel failed.
    using FailureListener = std::function<Status(const std::string& seed, Moment)>;
    struct Run {
        bool enabled = true;                  ///< growth.kernels
        std::string precision;                ///< fp32, bf16
        std::int64_t samples = 1;             ///< in a batch
        std::vector<std::string> blueprints;  ///< growth.blueprints
        FailureListener failed = {};
    };
    /// `supply` may be null: every seed runs as operators. `book` is the learners'.
    RunKernels(Run run, std::shared_ptr<ports::KernelSupply> supply,
               std::shared_ptr<graph::SeedKernels> book, EventSink event);

    /// Has what could grow at `places` compiled in the background.
    Status begin(const SeedPlaces& places);
    /// The seed has just germinated at a slot of `places`. Written down as `kernel`.
    Status decide(const SeedPlaces& places, std::uint32_t slot, const blueprints::Blueprint& made,
                  Moment now);

    /// Seeds whose branch a kernel computes now, those first whose kernel reported an error.
    std::vector<std::string> in_use() const;
    /// The operators compute these seeds until put_back(), for a trial.
    void set_aside(const std::vector<std::string>& seeds);
    void put_back();
    /// The kernels of these seeds failed: the operators compute them from now on, and the library
    /// offers those kernels to nobody again. Written down as `kernel_fault`.
    Status take_out(const std::vector<std::string>& seeds, const std::string& reason, Moment now);

    /// The mean time of a call, in µs, for each seed whose kernel is in use and was called in this
    /// process since it was on probation.
    std::map<std::string, double> latencies() const;

    const std::vector<SeedKernelChoice>& choices() const { return choices_; }
    /// For run.json.
    nlohmann::json summary() const;

    std::vector<SeedKernelChoice> save() const { return choices_; }
    /// Takes over saved decisions: exactly those kernels, or the operators where one cannot be had
    /// any more; report_lost() says which.
    void restore(const std::vector<SeedKernelChoice>& choices);
    Status report_lost(Moment now);

  private:
    ports::KernelNeed need_of(const graph::SeedBranch& branch, const std::string& blueprint,
                              graph::AnchorKind kind,
                              const std::vector<std::int64_t>& sample) const;
    void use(const SeedKernelChoice& choice, const ports::SuppliedKernel& kernel);

    Run run_;
    std::shared_ptr<ports::KernelSupply> supply_;
    std::shared_ptr<graph::SeedKernels> book_;
    EventSink event_;
    std::string unavailable_;  ///< why nothing is compiled
    std::map<std::string, std::string> anchor_kinds_;
    std::vector<SeedKernelChoice> choices_;
    std::map<std::string, graph::SeedKernel> aside_;
    std::map<std::string, std::shared_ptr<execution::KernelProbation>> watches_;  ///< by seed
    std::set<std::string> refused_;
    std::vector<std::string> lost_;
};

}  // namespace esper::tolaria
