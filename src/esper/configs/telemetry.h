#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_TELEMETRY_KEYS(X)                                                               \
    X(std::int64_t, every, 10, rule::at_least(1),                                             \
      "steps between two samples of the health signals")                                      \
    X(double, health_ema, 0.1, rule::within(0.0001, 1),                                       \
      "weight of a new sample in the running mean")                                           \
    X(Duration, retention, Duration::hours(72), rule::some_time(TimeKind::kClock),            \
      "how long health signals are kept; field reports and lineage stay for ever")            \
    X(bool, tensorboard, false, rule::any(), "also write event files for TensorBoard")        \
    X(std::int64_t, samples, 0, rule::at_least(0),                                            \
      "epochs between two samples of what the network makes: text that it writes, or images " \
      "with what it takes them for; 0: only text, before the first growth and at the end")    \
    X(bool, event_times, false, rule::any(),                                                  \
      "also note when each event was written, for `esper nissa trace`")
ESPER_CONFIG_SECTION(TelemetryConfig, ESPER_TELEMETRY_KEYS)

}  // namespace esper::configs
