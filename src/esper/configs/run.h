#pragma once

#include "esper/configs/section.h"
#include "esper/contracts/enums.h"

namespace esper::configs {

using contracts::DeviceType;

#define ESPER_PRECISIONS(X) X(kAuto, 0, "auto") X(kFp32, 1, "fp32") X(kBf16, 2, "bf16")
ESPER_CONTRACT_ENUM(Precision, ESPER_PRECISIONS)

#define ESPER_PROFILES(X)             \
    X(kNone, 0, "none")               \
    X(kDevelopment, 1, "development") \
    X(kTesting, 2, "testing")         \
    X(kStaging, 3, "staging")         \
    X(kProduction, 4, "production")   \
    X(kPhase1Mvp, 5, "phase1_mvp")
ESPER_CONTRACT_ENUM(Profile, ESPER_PROFILES)

#define ESPER_RUN_KEYS(X)                                                                          \
    X(std::string, name, "shakespeare", rule::text(TextForm::kFileName),                           \
      "names the run and, unless told otherwise, its folder")                                      \
    X(Profile, profile, Profile::kNone, rule::any(),                                               \
      "a set of values for a kind of place; the file's own keys win over it")                      \
    X(std::uint64_t, seed, 0, rule::any(), "everything random in the run derives from it")         \
    X(DeviceType, device, DeviceType::kCpu, rule::any(), "where tensors live")                     \
    X(int, threads, 0, rule::within(0, 1024),                                                      \
      "compute threads; 0: as many as this process may use physical cores")                        \
    X(Precision, precision, Precision::kAuto, rule::any(),                                         \
      "arithmetic of the network; auto: bf16 where the processor multiplies bf16 itself and a "    \
      "step is large enough to pay for it, else fp32; if not run.deterministic, whichever a few "  \
      "timed steps find faster")                                                                   \
    X(bool, deterministic, true, rule::any(),                                                      \
      "same seed, processor and threads, same bits: nothing is chosen by timing, and an operator " \
      "that torch has only in a form that differs from run to run is refused")                     \
    X(int, epochs, 30, rule::within(1, 1000000), "length of the run, unless it has a budget")      \
    X(std::string, budget, "", rule::text(TextForm::kBudget),                                      \
      "what the run may spend instead: FLOPs of training and of growing (3e12) or a time (30m); "  \
      "it ends when that is spent, and the schedule goes by the share that is")                    \
    X(Names, finish_at, {}, rule::text(TextForm::kBudget),                                         \
      "smaller budgets that the run is also finished at, each from a checkpoint that is kept "     \
      "where its cool-down begins; none named: checkpoints for halves, quarters, … are kept")      \
    X(Duration, max_duration, Duration::minutes(0), rule::time(TimeKind::kClock),                  \
      "one command trains for at most so long (30m), then stops with a checkpoint as on Ctrl-C; "  \
      "'esper resume' goes on for as long again; 0m: no limit")                                    \
    X(std::int64_t, steps_per_epoch, 50, rule::at_least(0),                                        \
      "optimizer steps in an epoch; 0: one pass over the training part, whose last incomplete "    \
      "batch is left out (the order changes every epoch)")
ESPER_CONFIG_SECTION(RunConfig, ESPER_RUN_KEYS)

}  // namespace esper::configs
