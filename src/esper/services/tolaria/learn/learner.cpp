#include "esper/services/tolaria/learn/learner.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "esper/base/declared_state.h"
#include "esper/execution/kernels/kernel_error.h"
#include "esper/program/edits/edits.h"
#include "esper/program/text/text_format.h"
#include "esper/services/tolaria/learn/seed_faults.h"
#include "esper/services/tolaria/learn/weight_mean.h"

namespace esper::tolaria {

using execution::KernelError;

namespace {

// How the tensors of every run lie in memory, and so in the blocks of its checkpoints.
constexpr bool kChannelsLast = true;

bool has_parameter_of(const graph::Program& program, const graph::TensorBlock& block) {
    return std::ranges::any_of(block.entries, [&](const auto& entry) {
        return program.find_parameter(entry.name) != nullptr;
    });
}

}  // namespace

Learner::Options Learner::options_of(const configs::EsperConfig& config) {
    Options options;
    options.store = {config.run.seed, kChannelsLast};
    options.optimization = config.optimization;
    options.isolation = config.growth.isolation;
    options.precision = config.run.precision == configs::Precision::kBf16
                            ? graph::Precision::kBFloat16
                            : graph::Precision::kFloat32;
    return options;
}

Learner::Learner(const Options& options)
    : options_(options),
      store_(options.store),
      engine_(options.precision, options.optimization.label_smoothing, options.isolation,
              options.kernels),
      optimizer_(options.optimization) {
    engine_.heed(options.stop);
}

Status Learner::begin(graph::ProgramPtr host) {
    engine_.clear();
    store_ = graph::TensorStore(options_.store);
    optimizer_.set_state({});
    program_ = std::move(host);
    return store_.add(*program_, "host");
}

void Learner::adopt(graph::ProgramPtr program) {
    program_ = std::move(program);
    std::vector<std::string> gone;
    for (const auto& [name, state] : optimizer_.state()) {
        const auto block = store_.find_block(name);
        if (!block || !has_parameter_of(*program_, *block)) gone.push_back(name);
    }
    for (const auto& name : gone) optimizer_.forget(name);
}

Result<StepResult> Learner::step(const std::vector<at::Tensor>& batch, const StepRule& rule,
                                 const std::vector<graph::ValueId>& taps) {
    if (options_.seed_faults) ESPER_CHECK_STATUS(pass_seed_faults(*program_, store_));
    auto passed = pass_in_pieces(batch, rule, taps);
    // The run's own step is made again by the trainer, which writes down why; a fork's is here.
    if (!passed && !options_.seed_faults && options_.kernels && options_.kernels->failures() > 0)
        passed = pass_in_pieces(batch, rule, taps);
    ESPER_TRY(auto result, std::move(passed));
    if (options_.seed_faults) spoil_gradients(*program_, store_);
    if (!std::isfinite(result.loss))
        return fail(KernelError::kNotFinite, "the loss became " + std::to_string(result.loss));
    const auto moved = move(rule);
    if (!moved.not_finite.empty())
        return fail(KernelError::kNotFinite,
                    "the gradient of '" + moved.not_finite.front() + "' is not finite");
    return result;
}

// What dropout draws is a function of the step, and of the piece.
Status Learner::set_dropout(std::int64_t draw) {
    if (!store_.controls().contains("dropout.step")) return {};
    return store_.set_control("dropout.step", static_cast<double>(draw));
}

// The gradient of the whole batch's mean loss is the mean of its pieces' gradients, because they
// are of one size.
Result<StepResult> Learner::pass_in_pieces(const std::vector<at::Tensor>& batch,
                                           const StepRule& rule,
                                           const std::vector<graph::ValueId>& taps) {
    const std::int64_t pieces = options_.optimization.accumulate;
    const auto examples = batch.front().size(0);
    if (pieces <= 1 || examples % pieces != 0) {
        ESPER_CHECK_STATUS(set_dropout(rule.step));
        return engine_.train(program_, store_, batch, taps, taps);
    }
    const auto each = examples / pieces;
    const double share = 1.0 / static_cast<double>(pieces);
    std::vector<at::Tensor> sums;
    std::vector<std::vector<at::Tensor>> seen(taps.size()), gradients(taps.size());
    StepResult whole;
    for (std::int64_t i = 0; i < pieces; ++i) {
        std::vector<at::Tensor> piece;
        for (const auto& tensor : batch) piece.push_back(tensor.narrow(0, i * each, each));
        ESPER_CHECK_STATUS(set_dropout(rule.step * pieces + i));
        ESPER_TRY(const auto result, engine_.train(program_, store_, piece, taps, taps));
        whole.loss += share * result.loss;
        // The next pass may write over them.
        for (std::size_t t = 0; t < taps.size(); ++t) {
            seen[t].push_back(result.taps[t].clone());
            if (result.gradient_taps[t].defined())
                gradients[t].push_back(result.gradient_taps[t].mul(share));
        }
        for (std::size_t b = 0; b < store_.blocks().size(); ++b) {
            const auto& gradient = store_.blocks()[b]->grad;
            if (i == 0)
                sums.push_back(gradient.mul(share));
            else
                sums[b].add_(gradient, share);
        }
    }
    for (std::size_t b = 0; b < sums.size(); ++b) store_.blocks()[b]->grad.copy_(sums[b]);
    for (std::size_t t = 0; t < taps.size(); ++t) {
        whole.taps.push_back(at::cat(seen[t]));
        whole.gradient_taps.push_back(gradients[t].empty() ? at::Tensor() : at::cat(gradients[t]));
    }
    return whole;
}

Optimizer::Report Learner::move(const StepRule& rule) {
    return optimizer_.step(
        store_, rule.rate,
        [&](const std::string& block) {
            const auto state = optimizer_.state().find(block);
            return rule.settings(block,
                                 state == optimizer_.state().end() ? 0 : state->second.steps);
        },
        program_);
}

Learner::Options Learner::options_for_clone() const {
    auto options = options_;
    options.precision = engine_.precision();
    options.seed_faults = false;
    return options;
}

Result<std::unique_ptr<Learner>> Learner::clone_without(
    const std::vector<std::string>& seeds) const {
    ESPER_TRY(auto program, without_seeds(program_, seeds));
    auto copy = std::make_unique<Learner>(options_for_clone());
    copy->store_ = store_.clone();
    auto state = optimizer_.clone_state();
    for (const auto& block : store_.blocks()) {
        if (has_parameter_of(*program, *block)) continue;
        copy->store_.remove(block->name, block->name + ".");
        state.erase(block->name);
    }
    std::set<std::string> declared;
    for (const auto& control : program->controls()) declared.insert(control.name);
    for (const auto& [name, value] : store_.controls())
        if (!declared.contains(name)) copy->store_.remove_control(name);
    copy->optimizer_.set_state(std::move(state));
    copy->program_ = std::move(program);
    return copy;
}

SavedLearner Learner::save(const std::string& prefix, Tensors& tensors) const {
    save_tensors(store_, optimizer_, prefix, tensors);
    SavedLearner saved;
    saved.program = graph::to_text(*program_);
    for (const auto& block : store_.blocks()) saved.blocks.push_back(block->name);
    for (const auto& [block, s] : optimizer_.state()) saved.optimizer_steps[block] = s.steps;
    saved.recorded = engine_.counted();
    return saved;
}

Status Learner::restore(const SavedLearner& saved, const std::string& prefix,
                        const Tensors& tensors) {
    ESPER_TRY(auto program, graph::from_text(saved.program));
    ESPER_TRY(auto store, restore_store(options_.store, *program, saved.blocks, prefix, tensors));
    engine_.clear();
    engine_.assume_counted(saved.recorded.value_or(std::vector<std::string>{}));
    store_ = std::move(store);
    program_ = std::move(program);
    optimizer_.set_state(restore_optimizer(saved, prefix, tensors));
    return {};
}

Result<LearnerAt> read_learner(const Checkpoint& checkpoint, const Learner::Options& options) {
    const auto bad = [](const std::string& problem) {
        return fail(TolariaError::kBadCheckpoint, "the checkpoint cannot be read: " + problem);
    };
    SavedPosition position;
    const auto json = saved::Json::parse(checkpoint.state, nullptr, false);
    if (const auto problem = saved::read(json, position); !problem.empty()) return bad(problem);
    auto as_in_the_run = options;
    as_in_the_run.store.channels_last = kChannelsLast;
    LearnerAt found{std::make_unique<Learner>(as_in_the_run), position.step};
    ESPER_CHECK_STATUS(found.learner->restore(position.learner, "", checkpoint.tensors));
    WeightMean::put_into(found.learner->store(), checkpoint.tensors);
    if (found.learner->program()->hash().hex() != position.program_sha256)
        return bad("its Program does not have the hash that it names");
    return found;
}

Result<graph::ProgramPtr> without_seeds(graph::ProgramPtr program,
                                        const std::vector<std::string>& seeds) {
    for (const auto& seed : seeds) {
        ESPER_TRY(program, graph::apply(*program, graph::RemoveSeed{seed}));
    }
    return program;
}

}  // namespace esper::tolaria
