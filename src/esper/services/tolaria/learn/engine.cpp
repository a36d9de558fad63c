#include "esper/services/tolaria/learn/engine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "esper/base/text.h"
#include "esper/program/cost/cost.h"
#include "esper/program/edits/edits.h"
#include "esper/program/edits/shadow.h"
#include "esper/program/input_size.h"
#include "esper/program/shapes.h"

namespace esper::tolaria {

using graph::JointProgram;
using graph::JointSpec;

namespace {

graph::LossKind loss_of(const std::vector<at::Tensor>& inputs) {
    if (inputs.empty()) return graph::LossKind::kCrossEntropy;
    const auto& target = inputs.back();
    if (target.scalar_type() == at::kBool) return graph::LossKind::kLabels;
    if (target.scalar_type() != at::kFloat) return graph::LossKind::kCrossEntropy;
    if (target.dim() == 3) return graph::LossKind::kSoftLabels;
    return target.dim() == 2 ? graph::LossKind::kSoftClasses : graph::LossKind::kSquaredError;
}

// Images may be smaller than those that the Program is made for.
Result<graph::ProgramPtr> sized_for(const graph::ProgramPtr& program,
                                    const std::vector<at::Tensor>& inputs) {
    if (inputs.empty() || inputs[0].dim() != 4 || program->inputs().empty()) return program;
    const auto sizes = inputs[0].sizes().slice(1);
    const auto& own = program->inputs().front().type.shape;
    if (own.size() != 4 || std::equal(sizes.begin(), sizes.end(), own.begin() + 1)) return program;
    return graph::with_input_size(*program, sizes);
}

constexpr std::string_view kKernelWord = "kernels:";

// Numbers of values are this process's own: a Program that was read again has others.
std::string name_of(const std::string& hash, const std::string& kind) {
    std::string name = hash;
    bool tapped = false;
    for (const auto& word : split(kind, ' ')) {
        const bool is_tap = word.size() > 1 && (word[0] == 't' || word[0] == 'g') &&
                            word.find_first_not_of("0123456789", 1) == std::string::npos;
        tapped = tapped || is_tap;
        // What computes a seed changes no cost.
        if (!is_tap && !word.starts_with(kKernelWord)) name += " " + word;
    }
    return tapped ? name + " tapped" : name;
}

/// Runs what `find` finds or records. A kernel that reports an error is called no more: what is
/// found the second time runs the operators in its place.
template <typename Find>
Result<JointProgram::Outputs> run_with_fallback(const graph::SeedKernels* kernels,
                                                const std::vector<at::Tensor>& inputs,
                                                const Find& find) {
    const auto failed = [&] { return kernels == nullptr ? 0 : kernels->failures(); };
    const auto once = [&]() -> Result<JointProgram::Outputs> {
        ESPER_TRY(JointProgram * joint, find());
        return joint->run(inputs);
    };
    const auto before = failed();
    auto outputs = once();
    return outputs || failed() == before ? std::move(outputs) : once();
}

}  // namespace

Result<JointProgram*> Engine::find(const graph::ProgramPtr& program, std::string kind,
                                   graph::TensorStore& store, const std::vector<at::Tensor>& inputs,
                                   bool backward,
                                   const std::function<Result<JointSpec>()>& make_spec) {
    kind += fmt::format(" {}", static_cast<int>(precision_));
    for (const auto& input : inputs)
        kind += fmt::format(" {}[{}]", c10::toString(input.scalar_type()),
                            fmt::join(input.sizes(), ","));
    if (kernels_)
        if (const auto used = kernels_->used_by(*program); !used.empty())
            kind += fmt::format(" {}{}", kKernelWord, used);
    const auto hash = program->hash().hex();
    const auto name = name_of(hash, kind);
    auto& mine = recorded_[hash];
    for (auto [it, end] = mine.equal_range(kind); it != end; ++it)
        if (it->second.store == &store) return &it->second.joint;
    ESPER_TRY(JointSpec spec, make_spec());
    ESPER_TRY(spec.program, sized_for(spec.program, inputs));
    spec.precision = precision_;
    spec.kernels = kernels_.get();
    ESPER_TRY(JointProgram joint, JointProgram::record(spec, store, inputs));
    if (counted_.erase(name) == 0) {
        ESPER_TRY(auto passed, backward ? as_trained(program) : program);
        ESPER_TRY(passed, sized_for(passed, inputs));
        ESPER_TRY(const auto cost, graph::count_cost(*passed));
        const auto examples = inputs.empty() ? 1 : inputs[0].size(0);
        recording_flops_ +=
            static_cast<double>(backward ? cost.training_flops : cost.forward_flops) *
            static_cast<double>(examples);
    }
    return &mine.emplace(std::move(kind), Recorded{&store, std::move(joint)})->second.joint;
}

std::vector<std::string> Engine::counted() const {
    std::vector<std::string> names(counted_.begin(), counted_.end());
    for (const auto& [hash, kinds] : recorded_)
        for (const auto& [kind, recorded] : kinds) names.push_back(name_of(hash, kind));
    std::sort(names.begin(), names.end());
    return names;
}

namespace {

// An anchor's value is that of the join while a seed learns there; with shadows the host's path
// goes past it.
std::vector<graph::ValueId> past_the_joins(const std::vector<graph::ValueId>& taps,
                                           const graph::Program& program,
                                           const graph::Program& shadowed) {
    auto moved = taps;
    for (auto& tap : moved)
        for (std::size_t i = 0; i < program.anchors().size(); ++i)
            if (program.anchors()[i].value == tap) {
                tap = shadowed.anchors()[i].value;
                break;
            }
    return moved;
}

}  // namespace

Status Engine::check_signal() const {
    if (signal_ == nullptr || !signal_->ends_work()) return {};
    return fail(TolariaError::kStopped, "stopped on request");
}

bool Engine::has_shadows(const graph::Program& program) const {
    return isolation_ == configs::Isolation::kShadow &&
           std::ranges::any_of(graph::seeds_in(program), [](const auto& seed) {
               return seed.mode == graph::SeedMode::kIsolated;
           });
}

Result<graph::ProgramPtr> Engine::as_trained(const graph::ProgramPtr& program) const {
    if (!has_shadows(*program)) return program;
    return graph::with_shadows(program, "logits");
}

Result<JointProgram*> Engine::training_program(const graph::ProgramPtr& program,
                                               graph::TensorStore& store,
                                               const std::vector<at::Tensor>& inputs,
                                               const std::vector<graph::ValueId>& taps,
                                               const std::vector<graph::ValueId>& gradient_taps,
                                               bool shadows) {
    if (last_.program == program && last_.store == &store && last_.taps == taps &&
        last_.gradient_taps == gradient_taps && last_.shadows == shadows &&
        last_.kernels == kernel_revision() && last_.joint->takes(inputs))
        return last_.joint;
    std::string kind = shadows ? "train" : "gradients";
    for (auto v : taps) kind += fmt::format(" t{}", v.value());
    for (auto v : gradient_taps) kind += fmt::format(" g{}", v.value());
    ESPER_TRY(auto* joint, find(program, kind, store, inputs, true, [&]() -> Result<JointSpec> {
                  ESPER_TRY(auto with,
                            graph::with_loss(*program, {.label_smoothing = label_smoothing_,
                                                        .kind = loss_of(inputs)}));
                  JointSpec spec;
                  spec.program = with;
                  if (shadows && has_shadows(*program)) {
                      ESPER_TRY(spec.program, graph::with_shadows(with, "loss"));
                  }
                  for (const auto& output : spec.program->outputs())
                      spec.losses.push_back(output.name);
                  spec.taps = past_the_joins(taps, *with, *spec.program);
                  spec.gradient_taps = past_the_joins(gradient_taps, *with, *spec.program);
                  spec.rewrites = graph::Rewrites::kFast;
                  return spec;
              }));
    last_ = {program, &store, taps, gradient_taps, shadows, kernel_revision(), joint};
    return joint;
}

Result<StepResult> Engine::train(const graph::ProgramPtr& program, graph::TensorStore& store,
                                 const std::vector<at::Tensor>& inputs,
                                 const std::vector<graph::ValueId>& taps,
                                 const std::vector<graph::ValueId>& gradient_taps) {
    return pass(program, store, inputs, taps, gradient_taps, true);
}

Result<StepResult> Engine::gradients(const graph::ProgramPtr& program, graph::TensorStore& store,
                                     const std::vector<at::Tensor>& inputs,
                                     const std::vector<graph::ValueId>& taps,
                                     const std::vector<graph::ValueId>& gradient_taps) {
    return pass(program, store, inputs, taps, gradient_taps, false);
}

Result<StepResult> Engine::pass(const graph::ProgramPtr& program, graph::TensorStore& store,
                                const std::vector<at::Tensor>& inputs,
                                const std::vector<graph::ValueId>& taps,
                                const std::vector<graph::ValueId>& gradient_taps, bool shadows) {
    ESPER_CHECK_STATUS(check_signal());
    const auto find_it = [&] {
        return training_program(program, store, inputs, taps, gradient_taps, shadows);
    };
    // A step of training is made again by whoever knows what else it has changed.
    ESPER_TRY(auto outputs, run_with_fallback(shadows ? nullptr : kernels_.get(), inputs, find_it));
    return StepResult{outputs.outputs[0].item<double>(), std::move(outputs.taps),
                      std::move(outputs.gradient_taps)};
}

namespace {

bool has_scores(graph::LossKind kind) {
    return kind == graph::LossKind::kCrossEntropy || kind == graph::LossKind::kLabels;
}

Result<graph::ProgramPtr> with_losses(const graph::Program& program,
                                      const std::vector<at::Tensor>& inputs) {
    graph::LossSpec spec{.per_example = true, .kind = loss_of(inputs)};
    if (spec.kind == graph::LossKind::kCrossEntropy) {
        ESPER_TRY(const auto types, graph::infer_types(program));
        const auto* logits = program.find_output("logits");
        const bool many =
            logits != nullptr && types[logits->value.value()].shape.back() > kClassesForTopFive;
        spec.among_best = many ? 5 : 0;
    }
    spec.scores = has_scores(spec.kind);
    return graph::with_loss(program, spec);
}

}  // namespace

Result<PerExample> Engine::evaluate(const graph::ProgramPtr& program, graph::TensorStore& store,
                                    const std::vector<at::Tensor>& inputs) {
    return per_example(program, store, inputs, false);
}

Result<PerExample> Engine::evaluate_in_training_mode(const graph::ProgramPtr& program,
                                                     graph::TensorStore& store,
                                                     const std::vector<at::Tensor>& inputs) {
    return per_example(program, store, inputs, true);
}

Result<PerExample> Engine::per_example(const graph::ProgramPtr& program, graph::TensorStore& store,
                                       const std::vector<at::Tensor>& inputs, bool training) {
    ESPER_CHECK_STATUS(check_signal());
    const auto find_it = [&] {
        return find(program, training ? "losses" : "evaluate", store, inputs, false,
                    [&]() -> Result<JointSpec> {
                        ESPER_TRY(auto with, with_losses(*program, inputs));
                        JointSpec spec;
                        spec.program = with;
                        spec.training = training;
                        return spec;
                    });
    };
    ESPER_TRY(auto outputs, run_with_fallback(kernels_.get(), inputs, find_it));
    // By the order of with_loss; of tokens there are no scores.
    auto found = outputs.outputs;
    PerExample seen;
    seen.losses = found[0];
    if (found.size() > 1) seen.correct = found[1];
    if (found.size() > 2 && found.back().dim() == 2) {
        seen.scores = found.back();
        found.pop_back();
    }
    if (found.size() > 2) seen.among_five = found[2];
    return seen;
}

Status Engine::settle(const graph::ProgramPtr& program, graph::TensorStore& store,
                      const std::vector<at::Tensor>& inputs) {
    ESPER_CHECK_STATUS(check_signal());
    const auto n = std::min(inputs.size(), program->inputs().size());
    const std::vector<at::Tensor> own(inputs.begin(),
                                      inputs.begin() + static_cast<std::ptrdiff_t>(n));
    const auto find_it = [&] {
        return find(program, "settle", store, own, false, [&]() -> Result<JointSpec> {
            JointSpec spec;
            spec.program = program;
            return spec;
        });
    };
    const auto outputs = run_with_fallback(kernels_.get(), own, find_it);
    return outputs ? Status{} : Status(fail(outputs.error()));
}

Result<at::Tensor> Engine::logits(const graph::ProgramPtr& program, graph::TensorStore& store,
                                  const std::vector<at::Tensor>& inputs) {
    ESPER_CHECK_STATUS(check_signal());
    const auto find_it = [&] {
        return find(program, "logits", store, inputs, false, [&]() -> Result<JointSpec> {
            JointSpec spec;
            spec.program = program;
            spec.training = false;
            return spec;
        });
    };
    ESPER_TRY(auto outputs, run_with_fallback(kernels_.get(), inputs, find_it));
    return outputs.outputs[0];
}

void Engine::clear() {
    last_ = {};
    recorded_.clear();
    counted_.clear();
}

void Engine::keep_only(const std::vector<graph::ProgramPtr>& programs) {
    last_ = {};
    const auto is_kept = [&](const std::string& hash) {
        return std::ranges::any_of(programs,
                                   [&](const auto& p) { return p->hash().hex() == hash; });
    };
    std::erase_if(recorded_, [&](const auto& item) { return !is_kept(item.first); });
    std::erase_if(counted_,
                  [&](const auto& name) { return !is_kept(name.substr(0, name.find(' '))); });
}

}  // namespace esper::tolaria
