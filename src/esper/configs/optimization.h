#pragma once

#include "esper/configs/class_weights.h"
#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_OPTIMIZERS(X) \
    X(kSgd, 0, "sgd") X(kAdamw, 1, "adamw") X(kLion, 2, "lion") X(kMuon, 3, "muon")
ESPER_CONTRACT_ENUM(Optimizer, ESPER_OPTIMIZERS)

#define ESPER_SCHEDULES(X)                                    \
    X(kWarmupConstantCooldown, 0, "warmup_constant_cooldown") \
    X(kCosine, 1, "cosine")                                   \
    X(kConstant, 2, "constant")                               \
    X(kOneCycle, 3, "one_cycle")
ESPER_CONTRACT_ENUM(Schedule, ESPER_SCHEDULES)

#define ESPER_DECAYED(X) X(kAll, 0, "all") X(kMatrices, 1, "matrices")
ESPER_CONTRACT_ENUM(Decayed, ESPER_DECAYED)

#define ESPER_EARLY_STOPPING_KEYS(X)                                                               \
    X(Duration, patience, Duration::epochs(0), rule::time(TimeKind::kEpochs),                      \
      "the run ends when the validation loss has not fallen for so long and no seed is awake; 0: " \
      "never before its end")                                                                      \
    X(double, min_delta, 0.0, rule::at_least(0), "a smaller fall of the validation loss is none")
ESPER_CONFIG_SECTION(EarlyStoppingConfig, ESPER_EARLY_STOPPING_KEYS)

#define ESPER_OPTIMIZATION_KEYS(X)                                                                 \
    X(Optimizer, optimizer, Optimizer::kAdamw, rule::any(),                                        \
      "the update rule; muon moves the matrices inside the network (neither embeddings nor the "   \
      "last layer) by their orthogonal directions, and the rest as adamw does")                    \
    X(double, learning_rate, 1e-3, rule::above(0),                                                 \
      "its highest value over the run; lion wants about a tenth of adamw's, muon the same")        \
    X(double, momentum, 0.9, rule::below(0, 1), "of sgd and of muon's matrices")                   \
    X(bool, nesterov, true, rule::any(), "look-ahead form of the momentum (sgd, muon)")            \
    X(double, weight_decay, 0.01, rule::at_least(0),                                               \
      "decoupled for adamw, lion and muon, added to the gradient for sgd; never on a block while " \
      "it ramps")                                                                                  \
    X(Decayed, weight_decay_on, Decayed::kAll, rule::any(),                                        \
      "which parameters it pulls at; matrices: those of two and more dimensions, so neither "      \
      "norms "                                                                                     \
      "nor biases")                                                                                \
    X(Pair, betas, (Pair{0.9, 0.99}), rule::below(0, 1),                                           \
      "decay of adamw's two moments, and of "                                                      \
      "lion's momentum in the step and after it")                                                  \
    X(double, eps, 1e-8, rule::above(0), "keeps adamw's denominator from zero")                    \
    X(Schedule, schedule, Schedule::kWarmupConstantCooldown, rule::any(),                          \
      "how the learning rate moves over the run; warmup_constant_cooldown is also known as WSD; "  \
      "one_cycle rises over the warm-up and falls to nearly nothing, both as half a cosine")       \
    X(Duration, warmup, Duration::percent(5), rule::time(TimeKind::kProgress),                     \
      "rise at the start")                                                                         \
    X(double, cooldown, 0.2, rule::below(0, 1), "share of the run over which it falls to zero")    \
    X(double, label_smoothing, 0.0, rule::below(0, 1),                                             \
      "share of the target spread over all classes; of several labels, each is drawn so far "      \
      "towards one half")                                                                          \
    X(ClassWeights, class_weights, {}, rule::any(),                                                \
      "weights of the classes in the loss; of several labels, how much more each counts where it " \
      "holds than where it does not; balanced: the rarer in the training part, the more")          \
    X(double, layer_decay, 1.0, rule::above_up_to(0, 1),                                           \
      "learning rate of a layer relative to the layer after it, counted from the output")          \
    X(Names, groups, {}, rule::text(TextForm::kParameterGroup),                                    \
      "parameters that are moved otherwise, by their names: the first pattern that fits counts "   \
      "('**.bias weight_decay=0', 'blocks.0.** rate=0.1'); rate is relative, 0 keeps them as "     \
      "they are")                                                                                  \
    X(double, clip_norm, 1.0, rule::at_least(0),                                                   \
      "largest norm of the whole gradient; 0: no limit")                                           \
    X(int, accumulate, 1, rule::within(1, 1 << 16),                                                \
      "pieces that a step's batch is passed in, one after the other, their gradients added up: "   \
      "less memory, the same step; data.batch_size must be a multiple")                            \
    X(double, ema, 0.0, rule::below(0, 1),                                                         \
      "decay of a running mean of the weights (0.999), which is then what is validated, tested, "  \
      "sampled from and exported; 0: none")                                                        \
    X(double, newborn_rate, 1.3, rule::above(0),                                                   \
      "learning rate of a new block against the host's")                                           \
    X(std::int64_t, newborn_steps, 250, rule::at_least(0), "steps for which that holds")           \
    X(EarlyStoppingConfig, early_stopping, {}, rule::any(), "ending a run that learns no more")
ESPER_CONFIG_SECTION(OptimizationConfig, ESPER_OPTIMIZATION_KEYS)

}  // namespace esper::configs
