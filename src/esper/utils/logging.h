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
    /// Records that may wait for the writer (rounded up to a power of two, 512 bytes each).
    std::size_t queue = 8192;
    /// Records per second that one site may write; further ones are counted and the count goes
    /// with the site's next record. 0: no limit.
    std::uint32_t site_limit = 200;
    /// Longest pause of the idle writer: how old a record may grow before it is written.
    std::chrono::milliseconds longest_pause{10};
};

struct LogStatistics {
    std::uint64_t written = 0;     ///< lines handed to the sink successfully
    std::uint64_t dropped = 0;     ///< the queue was full
    std::uint64_t suppressed = 0;  ///< beyond the site's rate limit
    std::uint64_t unwritten = 0;   ///< the sink failed
};

/// Takes records from any thread without waiting, formats and writes them on its own thread. What
/// does not fit into the queue is dropped and counted, and the count is written as soon as there
/// is room. When the sink fails, one line on standard error says so; when it works again, records
/// flow again. The destructor writes what is queued. Thread-safe.
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

    /// The hot path: no lock, no allocation, no wait. Use the macros below.
    void log(LogSite& site, std::initializer_list<LogField> fields) noexcept;

    /// Waits until everything logged before is written, or until the time is up (false).
    bool flush(std::chrono::milliseconds timeout = std::chrono::seconds(5));
    void add_secret(std::string secret);
    LogStatistics statistics() const;

  private:
    struct Impl;
    std::atomic<LogLevel> level_;
    std::uint32_t site_limit_;
    std::unique_ptr<Impl> impl_;
};

/// Where the macros log to; none at the start. The logger must outlive its time as the default.
void set_default_logger(Logger* logger);
Logger* default_logger();

}  // namespace esper::utils

// ESPER_LOG_INFO("kernel loaded", kv("kernel", id), kv("ms", 3.2));
// The message and the keys are literals; whatever varies is a field.
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
