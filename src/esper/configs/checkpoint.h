#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_ROLLBACK_KEYS(X)                                                                   \
    X(bool, enabled, true, rule::any(), "go back to the last good checkpoint on NaN or a spike") \
    X(double, spike_factor, 3.0, rule::above(1),                                                 \
      "a loss this many times its running mean is a spike")                                      \
    X(std::int64_t, spike_window, 50, rule::at_least(1), "steps of the running mean")            \
    X(int, max_rollbacks, 3, rule::within(0, 10000), "the run fails when it would need more")
ESPER_CONFIG_SECTION(RollbackConfig, ESPER_ROLLBACK_KEYS)

#define ESPER_CHECKPOINT_KEYS(X)                                                              \
    X(Duration, every, Duration::epochs(5), rule::some_time(TimeKind::kAny),                  \
      "how often; progress or time on the clock")                                             \
    X(int, keep, 5, rule::within(1, 10000), "checkpoints in the ring, besides best and last") \
    X(bool, on_signal, true, rule::any(), "write one on Ctrl-C and SIGTERM")                  \
    X(RollbackConfig, rollback, {}, rule::any(), "when a run goes back")
ESPER_CONFIG_SECTION(CheckpointConfig, ESPER_CHECKPOINT_KEYS)

}  // namespace esper::configs
