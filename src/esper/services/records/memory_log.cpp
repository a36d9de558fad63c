#include "esper/services/records/memory_log.h"

#include "esper/services/records/events.h"

namespace esper::records {

Status MemoryLog::event(const std::string& kind, std::int64_t step, std::int64_t epoch,
                        nlohmann::json detail) {
    ESPER_TRY(const auto event, Event::make(kind, step, epoch, std::move(detail)));
    events_.push_back(event.content());
    return {};
}

}  // namespace esper::records
