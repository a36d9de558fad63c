#include "esper/services/tolaria/grow/block_splits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/services/tamiyo/clock.h"

namespace esper::tolaria {

namespace {

// Weight of a new loss in the running mean: about the last fifty steps.
constexpr double kNewest = 0.02;

// Parameters of the network's blocks: of all that lies under an anchor or can be split. What is
// left out are the embeddings and the head.
double parameters_of_blocks(const graph::Program& program,
                            const std::vector<graph::Block>& blocks) {
    double count = 0;
    for (const auto& parameter : program.parameters()) {
        const auto holds = [&](const auto& item) {
            return graph::is_under(parameter.name, item.name);
        };
        if (std::ranges::any_of(program.anchors(), holds) || std::ranges::any_of(blocks, holds))
            count += static_cast<double>(parameter.type.numel());
    }
    return count;
}

}  // namespace

BlockSplits::BlockSplits(GrowingRun& run, SeedPlaces& places)
    : run_(run), places_(places), host_(places.program()) {}

bool BlockSplits::is_clocked() const {
    return run_.config.controller.policy == configs::Policy::kClock;
}

void BlockSplits::take(double loss) {
    ++state_.losses;
    state_.loss +=
        (loss - state_.loss) * std::max(kNewest, 1.0 / static_cast<double>(state_.losses));
}

Status BlockSplits::look() {
    if (facts_.program == places_.program() && facts_.stage == run_.dataset.stage()) return {};
    Facts facts;
    const auto& program = *places_.program();
    ESPER_TRY(const auto blocks, graph::find_blocks(program));
    facts.parameters = parameters_of_blocks(program, blocks);
    if (!blocks.empty()) {
        const auto& last = blocks.back();
        facts.edit = {last.name, graph::name_for_copy(program, last.name)};
        facts.parameters_of_block = static_cast<double>(last.elements);
        ESPER_TRY(const auto then, graph::apply(program, *facts.edit));
        ESPER_TRY(const auto cost, run_.cost(*then));
        ESPER_TRY(const auto first, run_.cost(*host_));
        facts.flops_ratio =
            static_cast<double>(cost.training_flops) / static_cast<double>(first.training_flops);
        facts.training_flops = static_cast<double>(cost.training_flops);
    }
    facts.program = places_.program();
    facts.stage = run_.dataset.stage();
    facts_ = std::move(facts);
    return {};
}

// Characters of a text, images or rows otherwise.
double BlockSplits::examples_of(std::int64_t step) const {
    const auto& info = run_.dataset.info();
    const double fresh = train_examples(run_.config, run_.dataset);
    double examples = static_cast<double>(step * examples_a_step(run_.config, run_.dataset));
    if (!run_.config.controller.clock.count_repeats) examples = std::min(examples, fresh);
    return examples * static_cast<double>(info.tokens ? info.target_elements() : 1);
}

// If the block is split now: what is left of a budget then pays for fewer steps.
double BlockSplits::examples_in_the_end(std::int64_t step) const {
    const double step_cost =
        facts_.training_flops * static_cast<double>(examples_a_step(run_.config, run_.dataset));
    return examples_of(step + run_.course.steps_left(step, step_cost));
}

std::string BlockSplits::why_shut(Moment now) const {
    const auto& growth = run_.config.growth;
    if (run_.course.share(now.step) < growth.start)
        return fmt::format("growth starts after {:g} % of the run (growth.start)",
                           100 * growth.start);
    if (!run_.course.may_grow(now.step, growth.stop))
        return "growth is over (growth.stop, or the cool-down has begun)";
    // There a checkpoint is kept for a smaller budget, which would pay for the split and have no
    // steps left to use it.
    const auto guard = run_.config.controller.clock.guard_steps;
    if (run_.course.keeps_within(now.step, guard))
        return fmt::format(
            "the cool-down of a smaller budget begins within {} steps, for which a split would be "
            "on trial (controller.clock.guard_steps)",
            guard);
    if (facts_.flops_ratio > growth.limits.max_flops_ratio)
        return fmt::format(
            "after another split the network would cost {:.3g} times the FLOPs of the first one, "
            "growth.limits.max_flops_ratio is {:g}",
            facts_.flops_ratio, growth.limits.max_flops_ratio);
    return "";
}

Result<std::optional<BlockSplits::Wish>> BlockSplits::ask(Moment now, int taken_back) {
    const auto& clock = run_.config.controller.clock;
    tamiyo::ClockView view;
    view.step = now.step;
    if (now.step >= clock.first_step) {
        ESPER_CHECK_STATUS(look());
        if (!facts_.edit) {
            waiting_for_ = "no block of this network can be split";
            return std::optional<Wish>{};
        }
        view.why_shut = why_shut(now);
        view.growth_open = view.why_shut.empty();
        view.on_trial = on_trial() != nullptr;
        view.taken_back = taken_back;
        view.seen = examples_of(now.step);
        view.seen_at_end = examples_in_the_end(now.step);
        view.parameters = facts_.parameters;
        view.parameters_of_block = facts_.parameters_of_block;
    }
    const auto answer = tamiyo::ask_clock(clock, view);
    if (!answer.split) {
        waiting_for_ = answer.why;
        return std::optional<Wish>{};
    }
    return std::optional(Wish{*facts_.edit, answer.why, answer.evidence});
}

Status BlockSplits::make(const Wish& wish, Moment now) {
    auto& learner = run_.learner;
    ESPER_TRY(const auto tensors, graph::split_tensors(*places_.program(), wish.edit));
    ESPER_CHECK_STATUS(places_.kasmina().split(wish.edit, wish.why));
    ESPER_CHECK_STATUS(learner.fill_copy(tensors, wish.edit.copy));
    ESPER_CHECK_STATUS(places_.extend(run_.config.growth, places_.program()));
    learner.engine().keep_only({places_.program()});
    state_.made.push_back({wish.edit.block, wish.edit.copy, now.step, state_.loss, true});
    auto evidence = nlohmann::json(wish.evidence);
    evidence["loss"] = state_.loss;
    return run_.event("split", now,
                      {{"block", wish.edit.block},
                       {"copy", wish.edit.copy},
                       {"reason", wish.why},
                       {"evidence", std::move(evidence)},
                       {"parameters", places_.program()->parameter_count()}});
}

const BlockSplit* BlockSplits::on_trial() const {
    return state_.made.empty() || !state_.made.back().on_trial ? nullptr : &state_.made.back();
}

void BlockSplits::keep() {
    if (on_trial() != nullptr) state_.made.back().on_trial = false;
}

Result<std::optional<Trouble>> BlockSplits::judge(Moment now) {
    const auto* split = on_trial();
    const auto& clock = run_.config.controller.clock;
    if (split == nullptr || now.step < split->step + clock.guard_steps)
        return std::optional<Trouble>{};
    if (!(state_.loss <= split->loss_before + clock.guard_margin))
        return std::optional(Trouble{
            TroubleKind::kSplit,
            fmt::format("{} steps after block {} was split the training loss is {:.4f}, and it "
                        "was {:.4f} before (controller.clock.guard_margin allows {:g} more)",
                        now.step - split->step, split->block, state_.loss, split->loss_before,
                        clock.guard_margin),
            nlohmann::json{{"loss", state_.loss}, {"loss_before", split->loss_before}}.dump()});
    ESPER_CHECK_STATUS(run_.event("split_kept", now,
                                  {{"block", split->block},
                                   {"copy", split->copy},
                                   {"split_step", split->step},
                                   {"loss_before", split->loss_before},
                                   {"loss", state_.loss}}));
    keep();
    return std::optional<Trouble>{};
}

}  // namespace esper::tolaria
