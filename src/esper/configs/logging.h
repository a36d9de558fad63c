#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_LOG_LEVELS(X)   \
    X(kTrace, 0, "trace")     \
    X(kDebug, 1, "debug")     \
    X(kInfo, 2, "info")       \
    X(kWarning, 3, "warning") \
    X(kError, 4, "error")     \
    X(kOff, 5, "off")
ESPER_CONTRACT_ENUM(LogLevel, ESPER_LOG_LEVELS)

#define ESPER_LOG_FORMATS(X) X(kText, 0, "text") X(kJson, 1, "json")
ESPER_CONTRACT_ENUM(LogFormat, ESPER_LOG_FORMATS)

#define ESPER_LOGGING_KEYS(X)                                                                      \
    X(LogLevel, level, LogLevel::kInfo, rule::any(), "the least severe lines written")             \
    X(LogFormat, format, LogFormat::kText, rule::any(), "for people or for machines")              \
    X(std::string, file, "", rule::any(), "where to; -: standard error; empty: nothing is logged") \
    X(int, rate_limit, 100, rule::within(0, 1000000),                                              \
      "lines a second from one place in the code; 0: no limit")
ESPER_CONFIG_SECTION(LoggingConfig, ESPER_LOGGING_KEYS)

}  // namespace esper::configs
