#pragma once

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "esper/services/ports/event_log.h"

namespace esper::records {

/// Keeps events until they are taken. Not thread-safe.
class MemoryLog final : public ports::EventLog {
  public:
    Status event(const std::string& kind, std::int64_t step, std::int64_t epoch,
                 nlohmann::json detail) override;
    /// The events since the last call, oldest first, each as its line in events.jsonl would be.
    std::vector<nlohmann::json> take() { return std::exchange(events_, {}); }

  private:
    std::vector<nlohmann::json> events_;
};

}  // namespace esper::records
