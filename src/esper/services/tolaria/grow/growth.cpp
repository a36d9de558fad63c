#include "esper/services/tolaria/grow/growth.h"

#include <nlohmann/json.hpp>

#include "esper/program/cost/cost.h"
#include "esper/services/tolaria/grow/gate_looks.h"

namespace esper::tolaria {

Result<std::unique_ptr<Growth>> Growth::create(const Context& context,
                                               const graph::ProgramPtr& host) {
    std::unique_ptr<Growth> growth(new Growth(context));
    const auto& config = context.config;
    growth->host_ = host;
    ESPER_CHECK_STATUS(growth->find_slots(host, context.store));
    growth->health_.emplace(config.telemetry.every, growth->chunks_.size());
    growth->probe_order_ = tamiyo::probe_order(config.run.seed, context.dataset.size(Part::kProbe));
    return growth;
}

Result<HostCost> Growth::cost(const graph::Program& program) {
    ESPER_TRY(const auto counted, graph::count_cost(program));
    return HostCost{static_cast<double>(counted.forward_flops),
                    static_cast<double>(program.parameter_count())};
}

bool Growth::may_grow_at(std::int64_t step) const {
    return may_grow(context_.schedule, static_cast<std::uint64_t>(step),
                    context_.config.growth.stop);
}

Status Growth::event(const std::string& kind, std::int64_t step, nlohmann::json detail) {
    return context_.folder.event(kind, step, epoch_of(step), std::move(detail));
}

tamiyo::SlotSignals Growth::signals(std::uint32_t slot) const { return health_->signals(slot); }

Status Growth::at_boundary(std::int64_t step, const Losses& losses) {
    step_ = step;
    drop_forks();
    ESPER_CHECK_STATUS(report_health(step));
    ESPER_CHECK_STATUS(decide(step, {losses.train.begin(), losses.train.end()},
                              {losses.validation.begin(), losses.validation.end()}));
    drop_forks();
    health_->reset();
    context_.engine.keep_only({program()});
    return {};
}

nlohmann::json Growth::save(std::map<std::string, at::Tensor>& tensors) const {
    nlohmann::json forks = nlohmann::json::array();
    for (const auto& [slot, f] : forks_) {
        auto saved = f.fork->save("fork." + f.seed + ".", tensors);
        saved["slot"] = slot;
        saved["seed"] = f.seed;
        saved["taken"] = f.taken;
        forks.push_back(std::move(saved));
    }
    auto state = save_lives();
    state["forks"] = std::move(forks);
    state["health"] = health_->save();
    state["flops"] = flops_;
    state["faults"] = save_faults();
    return state;
}

Status Growth::restore(const nlohmann::json& state, graph::ProgramPtr program,
                       const std::map<std::string, at::Tensor>& tensors) {
    ESPER_CHECK_STATUS(restore_lives(state, std::move(program)));
    health_->restore(state.at("health"));
    flops_ = state.at("flops").get<double>();
    const auto precision = context_.config.run.precision == configs::Precision::kBf16
                               ? graph::Precision::kBFloat16
                               : graph::Precision::kFloat32;
    forks_.clear();
    for (const auto& f : state.at("forks")) {
        const auto seed = f.at("seed").get<std::string>();
        ESPER_TRY(auto fork, Fork::restore(f, "fork." + seed + ".", tensors, host_,
                                           context_.store.options(), context_.config, precision));
        forks_[f.at("slot").get<std::uint32_t>()] = {seed, f.at("taken").get<std::int64_t>(),
                                                     std::make_unique<Fork>(std::move(fork))};
    }
    restore_faults(state.at("faults"));
    return {};
}

}  // namespace esper::tolaria
