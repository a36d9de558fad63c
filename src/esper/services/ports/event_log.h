#pragma once
// ports: one interface for each boundary between services; a service includes no other's inside.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "esper/base/error.h"

namespace esper::ports {

/// Takes the events of a run in their order. Two of them: a run's folder (records::RunFolder),
/// where an event is on its way to the disk when event() returns, and memory (records::MemoryLog),
/// for a run that has no folder. tests/records/event_log_test.cpp is what both have to pass.
class EventLog {
  public:
    virtual ~EventLog() = default;
    /// `detail` holds the fields that records::event_kinds() declares for `kind`.
    /// Errors: RecordsError::kBadRecord for an event that is not declared so, which is not kept;
    /// those of writing.
    virtual Status event(const std::string& kind, std::int64_t step, std::int64_t epoch,
                         nlohmann::json detail) = 0;

  protected:
    EventLog() = default;
    EventLog(const EventLog&) = default;
    EventLog& operator=(const EventLog&) = default;
};

}  // namespace esper::ports
