#include "esper/services/tolaria/learn/optimizer.h"

#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

#include "esper/base/text.h"
#include "esper/engine/kernels/optimizer_kernels.h"
#include "esper/services/tolaria/learn/layer_rates.h"
#include "esper/services/tolaria/learn/muon.h"

namespace esper::tolaria {

Optimizer::Optimizer(const configs::OptimizationConfig& config) : config_(config) {
    for (const auto& text : config.groups)
        if (auto group = configs::ParameterGroup::parse(text)) groups_.push_back(std::move(*group));
}

double Optimizer::norm(const at::Tensor& flat) {
    return std::sqrt(
        sum_of_squares({flat.const_data_ptr<float>(), static_cast<std::size_t>(flat.numel())}));
}

Optimizer::Report Optimizer::step(graph::TensorStore& store, double rate,
                                  const std::function<BlockSettings(const std::string&)>& settings,
                                  const graph::ProgramPtr& program) {
    Report report;
    std::map<int, double> squares;
    std::map<std::string, BlockSettings> chosen;
    for (const auto& block : store.blocks()) {
        auto s = settings(block->name);
        const double n = norm(block->grad);
        if (!std::isfinite(n)) report.not_finite.push_back(block->name);
        if (!s.frozen) squares[s.clip_group] += n * n;
        chosen.emplace(block->name, s);
    }
    if (!report.not_finite.empty()) return report;
    if (auto it = squares.find(0); it != squares.end())
        report.gradient_norm = std::sqrt(it->second);
    if (program != program_ && !moves_all_alike()) {
        if (config_.optimizer == configs::Optimizer::kMuon) matrices_ = inner_matrices(*program);
        if (config_.layer_decay < 1) layers_ = layer_rates(*program, config_.layer_decay);
        treatments_.clear();
        program_ = program;
    }
    for (const auto& block : store.blocks()) {
        const auto& s = chosen.at(block->name);
        if (s.frozen) continue;
        const double scale = clip_factor(std::sqrt(squares[s.clip_group]), config_.clip_norm);
        auto& state = state_[block->name];
        ++state.steps;
        if (!state.first.defined()) state.first = at::zeros_like(block->flat);
        for (const auto& stretch : stretches_of(*block))
            move(*block, stretch, state, rate * s.rate * stretch.rate,
                 s.weight_decay ? stretch.decay : 0.0, scale);
    }
    return report;
}

bool Optimizer::moves_all_alike() const {
    return config_.weight_decay_on == configs::Decayed::kAll && groups_.empty() &&
           config_.layer_decay >= 1 && config_.optimizer != configs::Optimizer::kMuon;
}

Optimizer::Treatment Optimizer::treatment_of(const graph::TensorBlock::Entry& entry) {
    const auto known = treatments_.find(entry.name);
    if (known != treatments_.end()) return known->second;
    Treatment treatment{1, config_.weight_decay};
    if (config_.weight_decay_on == configs::Decayed::kMatrices && entry.value.dim() < 2)
        treatment.decay = 0;
    if (const auto layer = layers_.find(entry.name); layer != layers_.end())
        treatment.rate = layer->second;
    const auto group = std::ranges::find_if(
        groups_, [&](const auto& g) { return glob_match(g.pattern, entry.name); });
    if (group != groups_.end()) {
        treatment.rate *= group->rate;
        treatment.decay = group->weight_decay.value_or(treatment.decay);
    }
    treatments_.emplace(entry.name, treatment);
    return treatment;
}

// One for the whole block where all of it is moved alike, as is usual.
std::vector<Optimizer::Stretch> Optimizer::stretches_of(const graph::TensorBlock& block) {
    if (moves_all_alike()) return {{0, block.flat.numel(), 1, config_.weight_decay}};
    const bool muon = config_.optimizer == configs::Optimizer::kMuon;
    std::vector<Stretch> stretches;
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < block.entries.size(); ++i) {
        const auto& entry = block.entries[i];
        const bool is_last = i + 1 == block.entries.size();
        // The padding behind a parameter is moved with it, and stays zero.
        const auto end = is_last ? block.flat.numel() : block.entries[i + 1].offset;
        const auto treatment = treatment_of(entry);
        const auto* matrix = muon && matrices_.contains(entry.name) ? &entry : nullptr;
        const bool joins = !stretches.empty() && matrix == nullptr &&
                           stretches.back().matrix == nullptr &&
                           Treatment{stretches.back().rate, stretches.back().decay} == treatment;
        if (joins)
            stretches.back().end = end;
        else
            stretches.push_back({begin, end, treatment.rate, treatment.decay, matrix});
        begin = end;
    }
    return stretches;
}

void Optimizer::move(const graph::TensorBlock& block, const Stretch& stretch, BlockState& state,
                     double rate, double decay, double scale) const {
    using enum configs::Optimizer;
    if (stretch.matrix != nullptr) {
        muon_step({.learning_rate = rate,
                   .momentum = config_.momentum,
                   .nesterov = config_.nesterov,
                   .weight_decay = decay,
                   .gradient_scale = scale},
                  stretch.matrix->value, stretch.matrix->gradient,
                  like_entry(state.first, *stretch.matrix));
        return;
    }
    ParameterBlock flat;
    flat.values = block.flat.mutable_data_ptr<float>() + stretch.begin;
    flat.gradients = block.grad.const_data_ptr<float>() + stretch.begin;
    flat.first_moment = state.first.mutable_data_ptr<float>() + stretch.begin;
    flat.n = static_cast<std::size_t>(stretch.end - stretch.begin);
    if (config_.optimizer == kSgd) {
        sgd_step({rate, config_.momentum, decay, config_.nesterov, scale}, flat);
        return;
    }
    if (config_.optimizer == kLion) {
        lion_step({rate, config_.betas[0], config_.betas[1], decay, scale}, flat);
        return;
    }
    if (!state.second.defined()) state.second = at::zeros_like(block.flat);
    flat.second_moment = state.second.mutable_data_ptr<float>() + stretch.begin;
    adamw_step({rate, config_.betas[0], config_.betas[1], config_.eps, decay,
                static_cast<std::uint64_t>(state.steps), scale},
               flat);
}

std::map<std::string, Optimizer::BlockState> Optimizer::clone_state() const {
    std::map<std::string, BlockState> copy;
    for (const auto& [name, s] : state_)
        copy[name] = {s.steps, s.first.defined() ? s.first.clone() : at::Tensor(),
                      s.second.defined() ? s.second.clone() : at::Tensor()};
    return copy;
}

}  // namespace esper::tolaria
