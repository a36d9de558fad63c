#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_ADDRESS_KEYS(X)                                                             \
    X(std::string, host, "127.0.0.1", rule::text(TextForm::kNotEmpty), "name or address") \
    X(int, port, 8000, rule::port(), "TCP port")
ESPER_CONFIG_SECTION(AddressConfig, ESPER_ADDRESS_KEYS)

#define ESPER_HTTP_KEYS(X)                                                                       \
    X(Duration, timeout, Duration::seconds(30), rule::some_time(TimeKind::kClock), "of a call")  \
    X(int, retries, 3, rule::within(0, 100), "after the first attempt, where repeating is safe") \
    X(Duration, backoff, Duration::milliseconds(100), rule::time(TimeKind::kClock),              \
      "before the first retry; doubles each time")                                               \
    X(int, connections, 100, rule::within(1, 100000), "kept open, all hosts together")           \
    X(int, connections_per_host, 20, rule::within(1, 100000), "kept open to one host")           \
    X(Duration, keep_alive, Duration::seconds(30), rule::time(TimeKind::kClock),                 \
      "an idle connection is closed after this")
ESPER_CONFIG_SECTION(HttpConfig, ESPER_HTTP_KEYS)

#define ESPER_BREAKER_KEYS(X)                                                       \
    X(int, failures, 5, rule::within(1, 100000), "in a row that open the circuit")  \
    X(Duration, recovery, Duration::seconds(30), rule::some_time(TimeKind::kClock), \
      "before it is tried again")                                                   \
    X(int, successes, 3, rule::within(1, 100000), "that close it again")            \
    X(Duration, timeout, Duration::seconds(30), rule::some_time(TimeKind::kClock),  \
      "a call that takes longer has failed")                                        \
    X(int, half_open_calls, 1, rule::within(1, 100000), "at a time while it is being tried")
ESPER_CONFIG_SECTION(BreakerConfig, ESPER_BREAKER_KEYS)

#define ESPER_SERVICES_KEYS(X)                                                                    \
    X(AddressConfig, urza, {}, rule::any(), "the library of blueprints and kernels")              \
    X(AddressConfig, tamiyo, (AddressConfig{.port = 8001}), rule::any(), "the controller")        \
    X(AddressConfig, tezzeret, (AddressConfig{.port = 8002}), rule::any(), "the compiler")        \
    X(AddressConfig, urabrask, (AddressConfig{.port = 8003}), rule::any(), "the evaluator")       \
    X(AddressConfig, tolaria, (AddressConfig{.port = 8004}), rule::any(), "the trainer")          \
    X(AddressConfig, nissa, (AddressConfig{.port = 9090}), rule::any(), "metrics and dashboards") \
    X(int, workers, 4, rule::within(1, 1024), "request threads of a service")                     \
    X(Duration, poll_interval, Duration::seconds(10), rule::some_time(TimeKind::kClock),          \
      "between two looks for work")                                                               \
    X(HttpConfig, http, {}, rule::any(), "calls between services")                                \
    X(BreakerConfig, breaker, {}, rule::any(), "when calls to a failing service are held back")
ESPER_CONFIG_SECTION(ServicesConfig, ESPER_SERVICES_KEYS)

}  // namespace esper::configs
