#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_BUS_KINDS(X) X(kInProcess, 0, "in_process") X(kRedis, 1, "redis")
ESPER_CONTRACT_ENUM(BusKind, ESPER_BUS_KINDS)

#define ESPER_REDIS_KEYS(X)                                                                    \
    X(std::string, url, "redis://localhost:6379/0",                                            \
      rule::text(TextForm::kUrl).from_environment("REDIS_URL"), "the server and its database") \
    X(Secret, password, {}, rule::any().from_environment("REDIS_PASSWORD"),                    \
      "of the server, where its URL has none")
ESPER_CONFIG_SECTION(RedisConfig, ESPER_REDIS_KEYS)

#define ESPER_BUS_KEYS(X)                                                                         \
    X(BusKind, kind, BusKind::kInProcess, rule::any(), "one process, or Redis Streams")           \
    X(int, capacity, 65536, rule::within(2, 1 << 24),                                             \
      "messages waiting in one topic (in_process)")                                               \
    X(std::int64_t, max_message_bytes, 10 << 20, rule::at_least(1024), "longer ones are refused") \
    X(Duration, retention, Duration::hours(72), rule::some_time(TimeKind::kClock),                \
      "how long delivered messages stay readable (redis)")                                        \
    X(RedisConfig, redis, {}, rule::any(), "the server (redis)")
ESPER_CONFIG_SECTION(BusConfig, ESPER_BUS_KEYS)

}  // namespace esper::configs
