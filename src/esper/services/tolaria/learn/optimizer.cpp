#include "esper/services/tolaria/learn/optimizer.h"

#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "esper/engine/kernels/optimizer_kernels.h"

namespace esper::tolaria {

double Optimizer::norm(const at::Tensor& flat) {
    return std::sqrt(
        sum_of_squares({flat.const_data_ptr<float>(), static_cast<std::size_t>(flat.numel())}));
}

Optimizer::Report Optimizer::step(
    graph::TensorStore& store, double rate,
    const std::function<BlockSettings(const std::string&)>& settings) {
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
    for (const auto& block : store.blocks()) {
        const auto& s = chosen.at(block->name);
        if (s.frozen) continue;
        const double scale = clip_factor(std::sqrt(squares[s.clip_group]), config_.clip_norm);
        auto& state = state_[block->name];
        ++state.steps;
        if (!state.first.defined()) state.first = at::zeros_like(block->flat);
        ParameterBlock flat;
        flat.values = block->flat.mutable_data_ptr<float>();
        flat.gradients = block->grad.const_data_ptr<float>();
        flat.first_moment = state.first.mutable_data_ptr<float>();
        flat.n = static_cast<std::size_t>(block->flat.numel());
        const double decay = s.weight_decay ? config_.weight_decay : 0.0;
        if (config_.optimizer == configs::Optimizer::kSgd) {
            sgd_step({rate * s.rate, config_.momentum, decay, config_.nesterov, scale}, flat);
            continue;
        }
        if (!state.second.defined()) state.second = at::zeros_like(block->flat);
        flat.second_moment = state.second.mutable_data_ptr<float>();
        adamw_step({rate * s.rate, config_.betas[0], config_.betas[1], config_.eps, decay,
                    static_cast<std::uint64_t>(state.steps), scale},
                   flat);
    }
    return report;
}

std::map<std::string, Optimizer::BlockState> Optimizer::clone_state() const {
    std::map<std::string, BlockState> copy;
    for (const auto& [name, s] : state_)
        copy[name] = {s.steps, s.first.defined() ? s.first.clone() : at::Tensor(),
                      s.second.defined() ? s.second.clone() : at::Tensor()};
    return copy;
}

}  // namespace esper::tolaria
