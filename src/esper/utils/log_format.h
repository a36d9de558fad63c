#pragma once

#include <string>

#include "esper/utils/log_record.h"
#include "esper/utils/log_scrub.h"

namespace esper::utils {

enum class LogFormat : std::uint8_t { kText, kJson };

/// Appends the record as one line. kJson: an object with `ts`, `level`, `message`, `site`,
/// `thread`, then `trace`, `suppressed` and `cut` where they apply, then the fields. kText: a line
/// for people. Secrets are masked, line ends are escaped, bytes that are not UTF-8 are replaced.
void append_log_line(std::string& out, const LogRecord& record, LogFormat format,
                     const Scrubber& scrubber);

}  // namespace esper::utils
