#include "esper/services/tolaria/optimizer.h"

#include <ATen/ops/zeros_like.h>

#include <cmath>

namespace esper::tolaria {

namespace {

#define ESPER_VECTORISED __attribute__((target_clones("avx512f", "avx2", "default")))

struct SgdStep {
    float rate, momentum, decay, scale;
    bool nesterov, first;
};

ESPER_VECTORISED void sgd(float* p, const float* g, float* m, std::int64_t n, SgdStep s) {
    for (std::int64_t i = 0; i < n; ++i) {
        const float gradient = g[i] * s.scale + s.decay * p[i];
        m[i] = s.first ? gradient : s.momentum * m[i] + gradient;
        p[i] -= s.rate * (s.nesterov ? gradient + s.momentum * m[i] : m[i]);
    }
}

struct AdamStep {
    float shrink, beta1, beta2, step_size, root_correction, eps, scale;
};

ESPER_VECTORISED void adamw(float* p, const float* g, float* m, float* v, std::int64_t n, AdamStep s) {
    for (std::int64_t i = 0; i < n; ++i) {
        const float gradient = g[i] * s.scale;
        p[i] *= s.shrink;
        m[i] += (gradient - m[i]) * (1.0F - s.beta1);
        v[i] = s.beta2 * v[i] + (1.0F - s.beta2) * gradient * gradient;
        p[i] -= s.step_size * m[i] / (std::sqrt(v[i]) / s.root_correction + s.eps);
    }
}

// Eight partial sums in a fixed order: the same bits on every machine with the same lanes or fewer.
ESPER_VECTORISED double sum_of_squares(const float* x, std::int64_t n) {
    double total = 0;
    for (std::int64_t begin = 0; begin < n; begin += 4096) {
        const std::int64_t end = std::min(n, begin + 4096);
        float lanes[16] = {};
        std::int64_t i = begin;
        for (; i + 16 <= end; i += 16)
            for (int l = 0; l < 16; ++l) lanes[l] += x[i + l] * x[i + l];
        for (int l = 0; i < end; ++i, ++l) lanes[l] += x[i] * x[i];
        for (float lane : lanes) total += lane;
    }
    return total;
}

}  // namespace

double Optimizer::norm(const at::Tensor& flat) {
    return std::sqrt(sum_of_squares(flat.const_data_ptr<float>(), flat.numel()));
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
    if (auto it = squares.find(0); it != squares.end()) report.gradient_norm = std::sqrt(it->second);
    for (const auto& block : store.blocks()) {
        const auto& s = chosen.at(block->name);
        if (s.frozen || !std::isfinite(squares[s.clip_group])) continue;
        const double group_norm = std::sqrt(squares[s.clip_group]);
        const double scale = config_.clip_norm > 0 && group_norm > config_.clip_norm
                                 ? config_.clip_norm / (group_norm + 1e-6)
                                 : 1.0;
        auto& state = state_[block->name];
        const bool first = state.steps++ == 0;
        if (!state.first.defined()) state.first = at::zeros_like(block->flat);
        auto* p = block->flat.mutable_data_ptr<float>();
        const auto* g = block->grad.const_data_ptr<float>();
        auto* m = state.first.mutable_data_ptr<float>();
        const double block_rate = rate * s.rate;
        const double decay = s.weight_decay ? config_.weight_decay : 0.0;
        if (config_.optimizer == configs::Optimizer::kSgd) {
            sgd(p, g, m, block->flat.numel(),
                {static_cast<float>(block_rate), static_cast<float>(config_.momentum),
                 static_cast<float>(decay), static_cast<float>(scale), config_.nesterov, first});
            continue;
        }
        if (!state.second.defined()) state.second = at::zeros_like(block->flat);
        const double beta1 = config_.betas[0];
        const double beta2 = config_.betas[1];
        const auto t = static_cast<double>(state.steps);
        adamw(p, g, m, state.second.mutable_data_ptr<float>(), block->flat.numel(),
              {static_cast<float>(1 - block_rate * decay), static_cast<float>(beta1),
               static_cast<float>(beta2), static_cast<float>(block_rate / (1 - std::pow(beta1, t))),
               static_cast<float>(std::sqrt(1 - std::pow(beta2, t))),
               static_cast<float>(config_.eps), static_cast<float>(scale)});
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
