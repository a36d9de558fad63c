#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_OPTIMIZERS(X) X(kSgd, 0, "sgd") X(kAdamw, 1, "adamw")
ESPER_CONTRACT_ENUM(Optimizer, ESPER_OPTIMIZERS)

#define ESPER_SCHEDULES(X)                                    \
    X(kWarmupConstantCooldown, 0, "warmup_constant_cooldown") \
    X(kCosine, 1, "cosine")                                   \
    X(kConstant, 2, "constant")
ESPER_CONTRACT_ENUM(Schedule, ESPER_SCHEDULES)

#define ESPER_OPTIMIZATION_KEYS(X)                                                              \
    X(Optimizer, optimizer, Optimizer::kAdamw, rule::any(), "the update rule")                  \
    X(double, learning_rate, 1e-3, rule::above(0), "its highest value over the run")            \
    X(double, momentum, 0.9, rule::below(0, 1), "of sgd")                                       \
    X(bool, nesterov, true, rule::any(), "look-ahead form of the momentum (sgd)")               \
    X(double, weight_decay, 0.01, rule::at_least(0),                                            \
      "decoupled for adamw, added to the gradient for sgd; never on a block while it ramps")    \
    X(Pair, betas, (Pair{0.9, 0.99}), rule::below(0, 1), "decay of adamw's two moments")        \
    X(double, eps, 1e-8, rule::above(0), "keeps adamw's denominator from zero")                 \
    X(Schedule, schedule, Schedule::kWarmupConstantCooldown, rule::any(),                       \
      "how the learning rate moves over the run")                                               \
    X(Duration, warmup, Duration::percent(5), rule::time(TimeKind::kProgress),                  \
      "linear rise at the start")                                                               \
    X(double, cooldown, 0.2, rule::below(0, 1), "share of the run over which it falls to zero") \
    X(double, label_smoothing, 0.0, rule::below(0, 1),                                          \
      "share of the target spread over all classes")                                            \
    X(double, clip_norm, 1.0, rule::at_least(0),                                                \
      "largest norm of the whole gradient; 0: no limit")                                        \
    X(double, newborn_rate, 1.3, rule::above(0),                                                \
      "learning rate of a new block against the host's")                                        \
    X(std::int64_t, newborn_steps, 250, rule::at_least(0), "steps for which that holds")
ESPER_CONFIG_SECTION(OptimizationConfig, ESPER_OPTIMIZATION_KEYS)

}  // namespace esper::configs
