#pragma once

#include <atomic>
#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>

#include "esper/utils/log_format.h"
#include "esper/utils/log_record.h"
#include "esper/utils/log_sink.h"

namespace esper {
class Clock;
}

namespace esper::utils {

struct LogOptions {
    LogLevel level = LogLevel::kInfo;
    LogFormat format = LogFormat::kText;
    /// Records that the queue holds (rounded up to a power of two, 512 bytes each).
    std::size_t queue = 8192;
    /// Records per second that one log statement may write. Further records are dropped, and the
    /// statement's next record carries their number. 0: no limit.
    std::uint32_t site_limit = 200;
    /// The writer thread sleeps at most this long, so this is how long a record may wait.
    std::chrono::milliseconds longest_pause{10};
};

struct LogStatistics {
    std::uint64_t written = 0;     ///< lines handed to the sink successfully
    std::uint64_t dropped = 0;     ///< the queue was full
    std::uint64_t suppressed = 0;  ///< beyond the site's rate limit
    std::uint64_t unwritten = 0;   ///< the sink failed
};

/// Accepts records from any thread without waiting, and formats and writes them on a thread of its
/// own. Records that do not fit into the queue are dropped and counted; the count is written as
/// soon as there is room. When the sink fails, the logger says so once on standard error and keeps
/// trying. The destructor writes all queued records. Thread-safe.
class Logger {
  public:
    Logger(std::unique_ptr<LogSink> sink, LogOptions options = {});
    ~Logger();
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;

    bool is_enabled(LogLevel level) const {
        return level >= level_.load(std::memory_order_relaxed);
    }
    void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }

    /// Takes no lock, allocates nothing and never waits. Use the macros below.
    void log(LogSite& site, std::initializer_list<LogField> fields) noexcept;

    /// Waits until everything logged before is written. False when `timeout` passes first.
    bool flush(std::chrono::milliseconds timeout = std::chrono::seconds(5));
    void add_secret(std::string secret);
    LogStatistics statistics() const;

  private:
    struct Impl;
    std::atomic<LogLevel> level_;
    std::uint32_t site_limit_;
    std::unique_ptr<Impl> impl_;
};

/// The logger that the macros use; null at the start. It must live until it is replaced.
void set_default_logger(Logger* logger);
Logger* default_logger();

}  // namespace esper::utils

// ESPER_LOG_INFO("kernel loaded", kv("kernel", id), kv("ms", 3.2));
// The message and the keys are literals; put everything that varies into a field.
#define ESPER_LOG_TO(logger, log_level, text, ...)                                          \
    do {                                                                                    \
        ::esper::utils::Logger* esper_logger_ = (logger);                                   \
        if (esper_logger_ != nullptr && esper_logger_->is_enabled(log_level)) {             \
            static constinit ::esper::utils::LogSite esper_site_{log_level, text, __FILE__, \
                                                                 __LINE__};                 \
            esper_logger_->log(esper_site_, {__VA_ARGS__});                                 \
        }                                                                                   \
    } while (false)
#define ESPER_LOG_DEBUG(text, ...)                                                   \
    ESPER_LOG_TO(::esper::utils::default_logger(), ::esper::utils::LogLevel::kDebug, \
                 text __VA_OPT__(, ) __VA_ARGS__)
#define ESPER_LOG_INFO(text, ...)                                                   \
    ESPER_LOG_TO(::esper::utils::default_logger(), ::esper::utils::LogLevel::kInfo, \
                 text __VA_OPT__(, ) __VA_ARGS__)
#define ESPER_LOG_WARNING(text, ...)                                                   \
    ESPER_LOG_TO(::esper::utils::default_logger(), ::esper::utils::LogLevel::kWarning, \
                 text __VA_OPT__(, ) __VA_ARGS__)
#define ESPER_LOG_ERROR(text, ...)                                                   \
    ESPER_LOG_TO(::esper::utils::default_logger(), ::esper::utils::LogLevel::kError, \
                 text __VA_OPT__(, ) __VA_ARGS__)
