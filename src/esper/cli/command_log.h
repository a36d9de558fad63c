#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "esper/configs/logging.h"
#include "esper/utils/logging.h"

namespace esper::cli {

/// The log of one command, as logging.* asks for it: while it lives, ESPER_LOG_… write there.
/// Without logging.file there is none. One at a time.
class CommandLog {
  public:
    /// Error: LogError::kCannotOpen.
    static Result<CommandLog> open(const configs::LoggingConfig& config);
    CommandLog(CommandLog&&) = default;
    CommandLog& operator=(CommandLog&&) = delete;
    ~CommandLog();

  private:
    explicit CommandLog(std::unique_ptr<utils::Logger> logger);
    std::unique_ptr<utils::Logger> logger_;
};

/// One line for an event of a run: a warning for what went wrong, otherwise information; what a
/// person is not shown is for debugging.
void log_event(const nlohmann::json& event);

}  // namespace esper::cli
