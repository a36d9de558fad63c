#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "esper/blueprints/catalogue.h"
#include "esper/execution/kasmina/moment.h"
#include "esper/services/tamiyo/controller.h"
#include "esper/services/tolaria/grow/gate_looks.h"
#include "esper/services/tolaria/grow/seed_places.h"

namespace esper::tolaria {

using execution::Moment;

/// Price of one example through the host with the seeds of a Program, and the size of both.
struct HostCost {
    double forward_flops = 0;
    double parameters = 0;
};

/// First values of the last layer of a seed that is about to germinate.
struct FirstReadout {
    std::optional<at::Tensor> weight = {};  ///< nothing: as it was drawn
    bool zero = false;
    bool rejected = false;  ///< no scale of the fitted layer helps; the seed ought not to germinate
};

/// Takes one event: its kind, when, and its details.
using EventSink = std::function<Status(const std::string& kind, Moment, nlohmann::json detail)>;

/// Measures a host for the decisions about its seeds. RunMeasurer measures a host that Esper runs,
/// ForeignMeasurer one that the caller runs. A measurement changes only what its comment says.
class Measurer {
  public:
    Measurer() = default;
    virtual ~Measurer() = default;
    Measurer(const Measurer&) = delete;
    Measurer& operator=(const Measurer&) = delete;

    virtual Result<HostCost> cost(const graph::Program& program) = 0;
    /// Whether new seeds may still germinate.
    virtual bool may_grow(Moment now) const = 0;
    /// The steps of the whole run, as far as they are known now.
    virtual std::int64_t total_steps(Moment now) const = 0;
    /// The look at a seed that a gate asks for. Before its first look a seed in isolation may be
    /// scaled.
    virtual Result<GateLooks> look(const tamiyo::LookRequest& request, Moment now) = 0;
    /// Gathers the host's running statistics again, since the network has changed.
    virtual Status settle_statistics(Moment now) = 0;

    /// Sets how many more seeds' lives can be paid for.
    virtual Status price_lives(tamiyo::ControllerView&, Moment) { return {}; }

    /// A slot's signals of the last epoch; empty ones were not measured.
    virtual tamiyo::SlotSignals signals(std::uint32_t) const { return {}; }
    /// Sets the predicted gain of each candidate whose gain can be measured.
    virtual Status measure(const std::vector<tamiyo::Candidate*>&, Moment) { return {}; }
    virtual Result<FirstReadout> first_readout(std::uint32_t, const blueprints::Blueprint&,
                                               Moment) {
        return FirstReadout{};
    }
    /// The run's first seed is about to germinate.
    virtual Status before_first_seed(Moment) { return {}; }
    /// Keeps a copy of the present host, to be trained as a fork for the gates of the slot's seed.
    virtual Status keep_fork(std::uint32_t, Moment) { return {}; }
};

/// The network that a look compares at α = 0 and 1. A seed in isolation is blended in for it, with
/// an α in the store that the look has to take out again.
Result<graph::ProgramPtr> blended_for(const SeedPlaces& places, const tamiyo::LookRequest& request);

}  // namespace esper::tolaria
