#pragma once

#include "esper/configs/section.h"
#include "esper/contracts/enums.h"

namespace esper::configs {

using contracts::GraftingStrategy;

#define ESPER_ISOLATIONS(X)                    \
    X(kStraightThrough, 0, "straight_through") \
    X(kShadow, 1, "shadow")                    \
    X(kReconstruction, 2, "reconstruction")
ESPER_CONTRACT_ENUM(Isolation, ESPER_ISOLATIONS)

#define ESPER_READOUTS(X) \
    X(kClosedForm, 0, "closed_form") X(kRandom, 1, "random") X(kZero, 2, "zero")
ESPER_CONTRACT_ENUM(Readout, ESPER_READOUTS)

#define ESPER_GATE_KEYS(X)                                                                         \
    X(double, delta, 0.05, rule::inside(0, 1),                                                     \
      "chance that any useless seed of the run is kept; spent over seeds and looks")               \
    X(std::int64_t, min_examples, 500, rule::at_least(2),                                          \
      "smallest sample of the probe set that may decide (n0)")                                     \
    X(double, rent, 0.01, rule::at_least(0),                                                       \
      "loss that a seed must save per unit of relative FLOPs it adds (kappa)")                     \
    X(double, rent_parameters, 0.0, rule::at_least(0), "the same per unit of relative parameters") \
    X(Duration, budget, Duration::epochs(4), rule::some_time(TimeKind::kProgress),                 \
      "an undecided seed is culled after this long")                                               \
    X(double, fork_share, 0.2, rule::within(0, 1),                                                 \
      "share of decisions checked against a fork trained without the seed")                        \
    X(Duration, lag, Duration::batches(128), rule::time(TimeKind::kProgress),                      \
      "no cull sooner after training began")
ESPER_CONFIG_SECTION(GateConfig, ESPER_GATE_KEYS)

#define ESPER_GROWTH_LIMIT_KEYS(X)                                                            \
    X(int, max_in_flight, 1, rule::within(1, 10000), "seeds between germination and verdict") \
    X(int, max_adaptations_per_epoch, 2, rule::within(0, 10000), "germinations in one epoch") \
    X(int, max_fossilized, 8, rule::within(0, 1000000), "seeds kept in one run")              \
    X(double, max_flops_ratio, 2.5, rule::at_least(1),                                        \
      "FLOPs of the grown network against the first one")
ESPER_CONFIG_SECTION(GrowthLimits, ESPER_GROWTH_LIMIT_KEYS)

#define ESPER_GROWTH_KEYS(X)                                                                      \
    X(bool, enabled, true, rule::any(), "false: the host trains as if it had no seeds")           \
    X(Names, anchors, Names{"**"}, rule::text(TextForm::kGlob),                                   \
      "where seeds sit: patterns of anchor names (`*` within a dot, `**` across dots)")           \
    X(Names, blueprints, {}, rule::text(TextForm::kGlob),                                         \
      "what may grow: patterns of blueprint names; none named: all that fit the anchor")          \
    X(int, seeds_per_anchor, 1, rule::within(1, 64), "seeds at one anchor, each on its chunk")    \
    X(GraftingStrategy, strategy, GraftingStrategy::kSmoothstep, rule::any(),                     \
      "how a seed is blended in")                                                                 \
    X(std::int64_t, graft_steps, 0, rule::at_least(0),                                            \
      "steps of the blend; 0: the larger of 300 and 3 % of the run")                              \
    X(Isolation, isolation, Isolation::kStraightThrough, rule::any(),                             \
      "how a seed learns before it touches the host")                                             \
    X(Readout, readout, Readout::kClosedForm, rule::any(), "first values of a seed's last layer") \
    X(double, measure_share, 0.02, rule::at_least(0),                                             \
      "what measuring may cost, as a share of the run's FLOPs: looks, candidates, scales, "       \
      "forks, and the second passes of seeds in a shadow")                                        \
    X(Duration, training, Duration::epochs(3), rule::some_time(TimeKind::kProgress),              \
      "learning in isolation")                                                                    \
    X(Duration, stabilization, Duration::epochs(1), rule::time(TimeKind::kProgress),              \
      "the seed stands still while the host settles")                                             \
    X(Duration, fine_tune, Duration::epochs(2), rule::time(TimeKind::kProgress),                  \
      "host and seed learn together before the seed is kept")                                     \
    X(Duration, cooldown, Duration::epochs(1), rule::time(TimeKind::kEpochs),                     \
      "pause between two germinations")                                                           \
    X(Duration, embargo, Duration::epochs(3), rule::time(TimeKind::kEpochs),                      \
      "how long a slot rests after a cull")                                                       \
    X(double, start, 0.1, rule::below(0, 1), "share of the run before the first germination")     \
    X(double, stop, 0.8, rule::within(0, 1), "share of the run after which nothing germinates")   \
    X(bool, allow_speculative, false, rule::any(), "take kernels whose risk score is above 0.5")  \
    X(bool, kernels, false, rule::any(),                                                          \
      "seeds run native kernels where these are faster; they are compiled beside the run")        \
    X(bool, freeze_fossilized, false, rule::any(), "a kept seed learns no further")               \
    X(bool, sham, false, rule::any(), "also offer a seed that cannot help, to try the gate")      \
    X(GateConfig, gate, {}, rule::any(), "the test that a seed must pass")                        \
    X(GrowthLimits, limits, {}, rule::any(), "how much may grow")
ESPER_CONFIG_SECTION(GrowthConfig, ESPER_GROWTH_KEYS)

}  // namespace esper::configs
