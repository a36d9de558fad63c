#include "esper/services/urza/events.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace esper::urza {

std::string_view topic_of(const LedgerEntry& entry) {
    using Topic = std::pair<std::string_view, std::string_view>;  // how the action begins
    constexpr auto kTopics = std::to_array<Topic>({{"add blueprint", "blueprint.submitted"},
                                                   {"blueprint ", "blueprint.status"},
                                                   {"add kernel", "kernel.ready"},
                                                   {"validate kernel", "kernel.characterized"},
                                                   {"reject kernel", "kernel.characterized"},
                                                   {"deprecate kernel", "kernel.deprecated"},
                                                   {"collect object", "kernel.collected"},
                                                   {"file run", "field_reports"},
                                                   {"retry work", "work.retried"}});
    for (const auto& [action, topic] : kTopics)
        if (entry.action.starts_with(action)) return topic;
    return "other";
}

Result<std::vector<LedgerEntry>> EventCursor::next(std::uint32_t most) {
    ESPER_TRY(auto entries, library_->ledger(after_, most));
    if (entries.empty() && after_ > 0) {
        ESPER_TRY(const auto head, library_->head());
        if (head.number < after_)
            return fail(UrzaError::kConflict,
                        fmt::format("there is no event {}: the ledger ends with {}, so it is "
                                    "another library's, or an older copy; begin again after 0",
                                    after_, head.number));
    }
    auto number = after_;
    for (const auto& entry : entries)
        if (entry.number != ++number)
            return fail(UrzaError::kBrokenLedger,
                        fmt::format("event {} is missing: {} came in its place; esper library "
                                    "verify says more",
                                    number, entry.number));
    after_ = number;
    return entries;
}

}  // namespace esper::urza
