#include "esper/cli/command_log.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "esper/services/records/event_text.h"
#include "esper/services/records/fields.h"

namespace esper::cli {

namespace {

constexpr std::uint64_t kLargestLog = std::uint64_t{64} << 20;  // of one file; older ones follow it

utils::LogLevel level_of(configs::LogLevel level) {
    switch (level) {
        case configs::LogLevel::kTrace:
        case configs::LogLevel::kDebug:
            return utils::LogLevel::kDebug;
        case configs::LogLevel::kInfo:
            return utils::LogLevel::kInfo;
        case configs::LogLevel::kWarning:
            return utils::LogLevel::kWarning;
        case configs::LogLevel::kError:
            return utils::LogLevel::kError;
        case configs::LogLevel::kOff:
            break;
    }
    return utils::LogLevel::kOff;
}

}  // namespace

CommandLog::CommandLog(std::unique_ptr<utils::Logger> logger) : logger_(std::move(logger)) {
    if (logger_) utils::set_default_logger(logger_.get());
}

CommandLog::~CommandLog() {
    if (logger_) utils::set_default_logger(nullptr);
}

Result<CommandLog> CommandLog::open(const configs::LoggingConfig& config) {
    if (config.file.empty()) return CommandLog(nullptr);
    std::unique_ptr<utils::LogSink> sink = utils::stderr_sink();
    if (config.file != "-") {
        ESPER_TRY(sink, utils::file_sink(config.file, kLargestLog));
    }
    utils::LogOptions options;
    options.level = level_of(config.level);
    options.format = config.format == configs::LogFormat::kJson ? utils::LogFormat::kJson
                                                                : utils::LogFormat::kText;
    options.site_limit = static_cast<std::uint32_t>(config.rate_limit);
    return CommandLog(std::make_unique<utils::Logger>(std::move(sink), options));
}

void log_event(const nlohmann::json& event) {
    if (utils::default_logger() == nullptr) return;
    const auto said = records::describe_event(event);
    const auto kind = records::text_of(event, "event");
    const auto step = records::integer_of(event, "step");
    using utils::kv;
    if (said.tone == records::EventTone::kBad)
        ESPER_LOG_WARNING("event", kv("event", kind), kv("step", step), kv("text", said.text));
    else if (!said.text.empty())
        ESPER_LOG_INFO("event", kv("event", kind), kv("step", step), kv("text", said.text));
    else
        ESPER_LOG_DEBUG("event", kv("event", kind), kv("step", step), kv("detail", event.dump()));
}

}  // namespace esper::cli
