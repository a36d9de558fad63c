#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "esper/base/error.h"

namespace esper::utils {

#define ESPER_LOG_ERRORS(X) X(kCannotOpen, kUsage) X(kCannotWrite, kRuntime)
ESPER_DEFINE_ERRORS(LogError, "logging", ESPER_LOG_ERRORS)

/// Where finished lines go. Called from the logger's own thread only.
class LogSink {
  public:
    virtual ~LogSink() = default;
    /// Whole lines. Error: kCannotWrite.
    virtual Status write(std::string_view lines) = 0;
};

/// Appends to a file. A file larger than `max_bytes` (0: no limit) is renamed to `<path>.1`, older
/// files to `<path>.2` and so on; `keep` of them are kept. Error: kCannotOpen.
Result<std::unique_ptr<LogSink>> file_sink(const std::filesystem::path& path,
                                           std::uint64_t max_bytes = 0, int keep = 3);

/// Standard error.
std::unique_ptr<LogSink> stderr_sink();

}  // namespace esper::utils
