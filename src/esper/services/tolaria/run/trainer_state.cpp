#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "esper/base/clock.h"
#include "esper/program/cost/cost.h"
#include "esper/program/text/text_format.h"
#include "esper/services/tolaria/data/prefetching_loader.h"
#include "esper/services/tolaria/run/trainer.h"

namespace esper::tolaria {

using nlohmann::json;

Status Trainer::save(CheckpointKind kind) {
    ESPER_CHECK_STATUS(folder_.sync());
    Checkpoint checkpoint;
    for (const auto& block : store_.blocks())
        checkpoint.tensors["block." + block->name] = block->flat;
    for (const auto& [name, t] : store_.buffers()) checkpoint.tensors["buffer." + name] = t;
    for (const auto& [name, t] : store_.controls()) checkpoint.tensors["control." + name] = t;
    json optimizer = json::object();
    for (const auto& [block, s] : optimizer_.state()) {
        optimizer[block] = s.steps;
        if (s.first.defined()) checkpoint.tensors["first." + block] = s.first;
        if (s.second.defined()) checkpoint.tensors["second." + block] = s.second;
    }
    const double wall =
        wall_seconds_before_ + static_cast<double>(system_clock().now_ns() - started_ns_) * 1e-9;
    json state{{"step", step_},
               {"program", graph::to_text(*program_)},
               {"program_sha256", program_->hash().hex()},
               {"data", dataset_->info().fingerprint},
               {"initial_parameters", initial_parameters_},
               {"optimizer_steps", optimizer},
               {"epoch_loss_sum", epoch_loss_sum_},
               {"train_losses", train_losses_},
               {"validation_losses", validation_losses_},
               {"validation_accuracies", validation_accuracies_},
               {"best_loss", best_loss_},
               {"best_step", best_step_},
               {"spikes", spikes_.save()},
               {"rollback", to_json(history_)},
               {"flops_total", flops_total_},
               {"wall_seconds", wall},
               {"lengths", folder_.lengths()},
               {"journal_entries", journal_ ? journal_->size() : 0}};
    for (const auto& block : store_.blocks()) state["blocks"].push_back(block->name);
    if (growth_) state["growth"] = growth_->save(checkpoint.tensors);
    checkpoint.state = state.dump();
    auto written = ring_.write(step_, checkpoint, kind);
    if (!written)
        return fail(written.error().within("the checkpoint of step " + std::to_string(step_) +
                                           " could not be written, the ones before it are as they "
                                           "were; make room, then 'esper resume " +
                                           folder_.path().string() + "'"));
    saved_step_ = step_;
    saved_ns_ = system_clock().now_ns();
    return {};
}

// Seeds' blocks in the order they had, so that sums over blocks round alike.
Status Trainer::rebuild_store(const graph::ProgramPtr& program,
                              const std::vector<std::string>& blocks) {
    for (const auto& block : blocks)
        if (block != "host") ESPER_CHECK_STATUS(store_.add(*program, block, block + "."));
    return store_.add(*program, "rest");
}

Status Trainer::load(const Checkpoint& checkpoint) {
    const auto state = json::parse(checkpoint.state);
    if (state.at("data") != dataset_->info().fingerprint)
        return fail(TolariaError::kChangedRun,
                    "the data is not what this run was started on (fingerprint " +
                        dataset_->info().fingerprint.substr(0, 12) + ", the run's is " +
                        state.at("data").get<std::string>().substr(0, 12) + ")");
    ESPER_TRY(auto program, graph::from_text(state.at("program").get<std::string>()));
    if (program->hash().hex() != state.at("program_sha256").get<std::string>())
        return fail(TolariaError::kBadCheckpoint,
                    "the checkpoint's Program does not have its hash");
    ESPER_TRY(auto entries, graph::read_journal(folder_.journal()));
    if (entries.front().initial->hash() != host_->hash())
        return fail(TolariaError::kChangedRun,
                    "the configuration describes another network than the run's: its host is " +
                        host_->hash().hex().substr(0, 12) + ", the run's " +
                        entries.front().initial->hash().hex().substr(0, 12));
    ESPER_TRY(journal_, graph::Journal::reopen(folder_.journal(), state.at("journal_entries")));
    program_ = program;
    ESPER_CHECK_STATUS(rebuild_store(program, state.at("blocks").get<std::vector<std::string>>()));
    if (growth_ && state.contains("growth"))
        ESPER_CHECK_STATUS(growth_->restore(state.at("growth"), program, checkpoint.tensors));
    auto take = [&](const std::string& name, const at::Tensor& into) -> Status {
        auto it = checkpoint.tensors.find(name);
        if (it == checkpoint.tensors.end() || it->second.sizes() != into.sizes())
            return fail(TolariaError::kBadCheckpoint, "the checkpoint lacks tensor '" + name + "'");
        into.copy_(it->second);
        return {};
    };
    for (const auto& block : store_.blocks())
        ESPER_CHECK_STATUS(take("block." + block->name, block->flat));
    for (const auto& [name, t] : store_.buffers()) ESPER_CHECK_STATUS(take("buffer." + name, t));
    for (const auto& [name, t] : store_.controls()) ESPER_CHECK_STATUS(take("control." + name, t));
    std::map<std::string, Optimizer::BlockState> optimizer;
    for (const auto& [block, steps] : state.at("optimizer_steps").items()) {
        auto& s = optimizer[block];
        s.steps = steps.get<std::int64_t>();
        if (auto it = checkpoint.tensors.find("first." + block); it != checkpoint.tensors.end())
            s.first = it->second;
        if (auto it = checkpoint.tensors.find("second." + block); it != checkpoint.tensors.end())
            s.second = it->second;
    }
    optimizer_.set_state(std::move(optimizer));
    step_ = state.at("step");
    initial_parameters_ = state.at("initial_parameters");
    epoch_loss_sum_ = state.at("epoch_loss_sum");
    train_losses_ = state.at("train_losses").get<std::vector<double>>();
    validation_losses_ = state.at("validation_losses").get<std::vector<double>>();
    validation_accuracies_ = state.at("validation_accuracies").get<std::vector<double>>();
    best_loss_ = state.at("best_loss");
    best_step_ = state.at("best_step");
    saved_step_ = step_;
    saved_ns_ = system_clock().now_ns();
    spikes_.restore(state.at("spikes"));
    history_ = history_from_json(state.at("rollback"));
    flops_total_ = state.at("flops_total");
    wall_seconds_before_ = state.at("wall_seconds");
    engine_.set_precision(config_.run.precision == configs::Precision::kBf16
                              ? graph::Precision::kBFloat16
                              : graph::Precision::kFloat32);
    return {};
}

Status Trainer::cut_back_files(const Checkpoint& checkpoint) {
    return folder_.cut_back(
        json::parse(checkpoint.state).at("lengths").get<std::map<std::string, std::uint64_t>>());
}

Status Trainer::write_run_json(RunStatus status) {
    ESPER_TRY(auto cost, graph::count_cost(*program_));
    const auto seeds = growth_ ? growth_->counts() : SeedCounts{};
    auto last = [](const std::vector<double>& v) { return v.empty() ? json() : json(v.back()); };
    const double wall =
        wall_seconds_before_ + static_cast<double>(system_clock().now_ns() - started_ns_) * 1e-9;
    json run{{"status", to_text(status)},
             {"name", config_.run.name},
             {"seed", config_.run.seed},
             {"epochs", step_ / length_.steps_per_epoch},
             {"steps", step_},
             {"train_loss", last(train_losses_)},
             {"val_loss", last(validation_losses_)},
             {"val_accuracy", last(validation_accuracies_)},
             {"test_accuracy", test_ ? json(test_->accuracy) : json()},
             {"test_loss", test_ ? json(test_->loss) : json()},
             {"parameters", program_->parameter_count()},
             {"parameters_initial", initial_parameters_},
             {"flops_per_example", cost.forward_flops},
             {"flops_total", flops_total_},
             {"wall_seconds", wall},
             {"seeds",
              {{"germinated", seeds.germinated},
               {"fossilized", seeds.fossilized},
               {"culled", seeds.culled},
               {"cancelled", seeds.cancelled},
               {"rolled_back", seeds.rolled_back}}},
             {"rollbacks", history_.rollbacks},
             {"program_sha256", program_->hash().hex()},
             {"precision", contracts::to_text(config_.run.precision)},
             {"versions", {{"esper", "0.1.0"}, {"torch", TORCH_VERSION}}},
             {"machine", {{"threads", config_.run.threads}}}};
    return folder_.write_run_json(run);
}

}  // namespace esper::tolaria
