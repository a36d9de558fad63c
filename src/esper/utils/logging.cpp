#include "esper/utils/logging.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "esper/base/clock.h"
#include "esper/utils/bounded_queue.h"

namespace esper::utils {
namespace {

constexpr std::int64_t kWindowNs = 1'000'000'000;
/// Lines are handed to the sink in pieces of about this size.
constexpr std::size_t kBatchBytes = 64 * 1024;

std::atomic<Logger*> the_default{nullptr};

std::uint32_t thread_number() {
    static std::atomic<std::uint32_t> next{1};
    thread_local const std::uint32_t mine = next.fetch_add(1, std::memory_order_relaxed);
    return mine;
}

/// Whether the site may write now. A race between threads at the turn of a window may let a few
/// records more through; none is lost without being counted.
bool within_limit(LogSite& site, std::uint32_t limit, std::int64_t now) {
    std::int64_t start = site.window_start_ns.load(std::memory_order_relaxed);
    if (now - start >= kWindowNs || now < start) {
        if (site.window_start_ns.compare_exchange_strong(start, now, std::memory_order_relaxed)) {
            site.in_window.store(0, std::memory_order_relaxed);
        }
    }
    if (site.in_window.fetch_add(1, std::memory_order_relaxed) < limit) return true;
    site.suppressed.fetch_add(1, std::memory_order_relaxed);
    return false;
}

}  // namespace

struct Logger::Impl {
    Impl(std::unique_ptr<LogSink> s, const LogOptions& o)
        : sink(std::move(s)), options(o), queue(o.queue), writer([this] { run(); }) {}

    std::unique_ptr<LogSink> sink;
    LogOptions options;
    Scrubber scrubber;
    BoundedQueue<LogRecord> queue;
    std::atomic<std::uint64_t> dropped{0};
    std::atomic<std::uint64_t> suppressed{0};
    std::atomic<std::uint64_t> written{0};
    std::atomic<std::uint64_t> unwritten{0};

    std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable idle;
    bool stopping = false;
    bool hurry = false;
    std::size_t finished = 0;  ///< records taken and handed to the sink, guarded by mutex

    // The writer's own.
    std::string batch;
    std::uint64_t batch_lines = 0;
    std::uint64_t reported_drops = 0;
    bool sink_failed = false;

    std::thread writer;

    void run();
    std::size_t drain();
    void report_drops();
    void hand_over();
};

std::size_t Logger::Impl::drain() {
    std::size_t taken = 0;
    while (queue.pop([this](const LogRecord& record) {
        append_log_line(batch, record, options.format, scrubber);
    })) {
        ++taken;
        ++batch_lines;
        if (batch.size() >= kBatchBytes) hand_over();
        if (taken == queue.capacity()) break;
    }
    report_drops();
    hand_over();
    return taken;
}

void Logger::Impl::report_drops() {
    const std::uint64_t now = dropped.load(std::memory_order_relaxed);
    if (now == reported_drops) return;
    static constinit LogSite site{
        LogLevel::kWarning, "log records were dropped: the queue was full", __FILE__, __LINE__};
    LogRecord record{};
    record.site = &site;
    record.utc_ns = system_clock().utc_ns();
    record.add(kv("count", now - reported_drops));
    append_log_line(batch, record, options.format, scrubber);
    ++batch_lines;
    reported_drops = now;
}

void Logger::Impl::hand_over() {
    if (batch.empty()) return;
    if (const Status s = sink->write(batch); s) {
        written.fetch_add(batch_lines, std::memory_order_relaxed);
    } else {
        unwritten.fetch_add(batch_lines, std::memory_order_relaxed);
        if (!sink_failed) {
            sink_failed = true;
            const std::string line =
                fmt::format("esper: the log is being lost: {}\n", s.error().message());
            [[maybe_unused]] const auto n = ::write(STDERR_FILENO, line.data(), line.size());
        }
    }
    batch.clear();
    batch_lines = 0;
}

void Logger::Impl::run() {
    auto pause = std::chrono::milliseconds(1);
    for (;;) {
        const std::size_t taken = drain();
        std::unique_lock lock(mutex);
        finished += taken;
        hurry = false;
        idle.notify_all();
        if (taken > 0) {
            pause = std::chrono::milliseconds(1);
            continue;
        }
        if (stopping) return;
        wake.wait_for(lock, pause, [this] { return stopping || hurry; });
        pause = std::min(pause * 2, options.longest_pause);
    }
}

Logger::Logger(std::unique_ptr<LogSink> sink, LogOptions options)
    : level_(options.level),
      site_limit_(options.site_limit),
      impl_(std::make_unique<Impl>(std::move(sink), options)) {}

Logger::~Logger() {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->stopping = true;
    }
    impl_->wake.notify_one();
    impl_->writer.join();
    Logger* self = this;
    the_default.compare_exchange_strong(self, nullptr);
}

void Logger::log(LogSite& site, std::initializer_list<LogField> fields) noexcept {
    const std::int64_t now = system_clock().utc_ns();
    if (site_limit_ != 0 && !within_limit(site, site_limit_, now)) {
        impl_->suppressed.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    const bool queued = impl_->queue.push([&](LogRecord& record) {
        record.site = &site;
        record.utc_ns = now;
        record.trace = TraceId::current();
        record.thread = thread_number();
        record.suppressed = site.suppressed.load(std::memory_order_relaxed) == 0
                                ? 0
                                : site.suppressed.exchange(0, std::memory_order_relaxed);
        record.used = 0;
        record.fields = 0;
        record.cut = false;
        for (const LogField& f : fields) record.add(f);
    });
    if (!queued) impl_->dropped.fetch_add(1, std::memory_order_relaxed);
}

bool Logger::flush(std::chrono::milliseconds timeout) {
    const std::size_t target = impl_->queue.pushed();
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    std::unique_lock lock(impl_->mutex);
    while (impl_->finished < target) {
        impl_->hurry = true;
        impl_->wake.notify_one();
        if (impl_->idle.wait_until(lock, deadline) == std::cv_status::timeout) {
            return impl_->finished >= target;
        }
    }
    return true;
}

void Logger::add_secret(std::string secret) { impl_->scrubber.add_secret(std::move(secret)); }

LogStatistics Logger::statistics() const {
    return {impl_->written.load(), impl_->dropped.load(), impl_->suppressed.load(),
            impl_->unwritten.load()};
}

void set_default_logger(Logger* logger) { the_default.store(logger, std::memory_order_release); }
Logger* default_logger() { return the_default.load(std::memory_order_acquire); }

}  // namespace esper::utils
