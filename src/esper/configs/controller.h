#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_POLICIES(X)         \
    X(kHeuristic, 0, "heuristic") \
    X(kPeriodic, 1, "periodic")   \
    X(kPlateau, 2, "plateau")     \
    X(kRandom, 3, "random")       \
    X(kNever, 4, "never")         \
    X(kClock, 5, "clock")         \
    X(kAuto, 6, "auto")
ESPER_CONTRACT_ENUM(Policy, ESPER_POLICIES)

#define ESPER_PLATEAU_KEYS(X)                                                                   \
    X(int, patience, 3, rule::within(1, 100000), "epochs without progress that make a plateau") \
    X(double, threshold, 0.005, rule::at_least(0), "relative gain an epoch that counts as progress")
ESPER_CONFIG_SECTION(PlateauConfig, ESPER_PLATEAU_KEYS)

#define ESPER_TOURNAMENT_KEYS(X)                                                       \
    X(int, candidates, 20, rule::within(1, 100000), "kernels looked at in a decision") \
    X(int, places, 5, rule::within(1, 100000), "anchors looked at in a decision")      \
    X(int, random_entrants, 1, rule::within(0, 100000),                                \
      "candidates drawn without regard to score")                                      \
    X(bool, past_runs, false, rule::any(),                                             \
      "measure what past runs of this library hardly ever chose only where it is drawn")
ESPER_CONFIG_SECTION(TournamentConfig, ESPER_TOURNAMENT_KEYS)

#define ESPER_CLOCK_KEYS(X)                                                                        \
    X(double, ratio, 12, rule::above(0),                                                           \
      "examples (characters of a text) seen for each parameter of the blocks before a block is "   \
      "split")                                                                                     \
    X(double, final_ratio, 30, rule::above(0),                                                     \
      "the same at the end of the run, with the block that is split counted twice; else no split") \
    X(bool, count_repeats, false, rule::any(), "whether repeated examples count each time")        \
    X(std::int64_t, first_step, 1000, rule::at_least(0), "no split before this step")              \
    X(std::int64_t, guard_steps, 200, rule::at_least(1),                                           \
      "steps after a split at which the training loss decides whether the split stays")            \
    X(double, guard_margin, 0.02, rule::at_least(0),                                               \
      "by how much the training loss may then be above the one before the split")
ESPER_CONFIG_SECTION(ClockConfig, ESPER_CLOCK_KEYS)

#define ESPER_PRICE_KEYS(X)                                                   \
    X(double, memory, 1, rule::at_least(0), "a MB of peak memory")            \
    X(double, latency, 10, rule::at_least(0), "a millisecond of p99 latency") \
    X(double, risk, 100, rule::at_least(0), "the risk score")
ESPER_CONFIG_SECTION(PriceConfig, ESPER_PRICE_KEYS)

#define ESPER_CONTROLLER_KEYS(X)                                                                \
    X(Policy, policy, Policy::kAuto, rule::any(),                                               \
      "who decides when and where to grow; auto: clock for a run with a budget whose host has " \
      "blocks to split, else heuristic")                                                        \
    X(Duration, period, Duration::epochs(5), rule::some_time(TimeKind::kEpochs),                \
      "between two germinations (periodic, random), or two measurements of gains (heuristic)")  \
    X(PlateauConfig, plateau, {}, rule::any(), "when learning counts as stuck")                 \
    X(ClockConfig, clock, {}, rule::any(), "when a block is split into two (clock)")            \
    X(TournamentConfig, tournament, {}, rule::any(), "who competes for a germination")          \
    X(PriceConfig, price, {}, rule::any(), "what an adaptation costs")
ESPER_CONFIG_SECTION(ControllerConfig, ESPER_CONTROLLER_KEYS)

}  // namespace esper::configs
