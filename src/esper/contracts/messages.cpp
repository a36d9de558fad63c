#include "esper/contracts/messages.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/clock.h"
#include "esper/contracts/identity.h"
#include "esper/contracts/validators.h"

namespace esper::contracts {

Result<OonaMessage> make_message(Topic topic, std::string sender_id, std::string trace_id,
                                 std::string_view payload_json, const Clock& clock) {
    ESPER_TRY(JsonText payload, JsonText::parse(payload_json));
    OonaMessage message{.event_id = new_uuid(),
                        .sender_id = std::move(sender_id),
                        .timestamp = now(clock),
                        .trace_id = std::move(trace_id),
                        .topic = topic,
                        .payload = std::move(payload)};
    ESPER_CHECK_STATUS(check(message));
    return message;
}

std::string KasminaControlCommand::inconsistency() const {
    if (const Status s = check_command(command, issued_by); !s) return s.error().message();
    if (command == AdaptationCommand::kGerminate && (!kernel_artifact_id || !blueprint_id)) {
        return "germinate needs blueprint_id and kernel_artifact_id";
    }
    return {};
}

std::string FieldReport::inconsistency() const {
    if (germinated_epoch > ended_epoch) {
        return fmt::format("germinated_epoch {} lies after ended_epoch {}", germinated_epoch,
                           ended_epoch);
    }
    return {};
}

std::string KernelQuery::inconsistency() const {
    for (const std::string& tag : excluded_tags) {
        if (std::find(required_tags.begin(), required_tags.end(), tag) != required_tags.end()) {
            return fmt::format("the tag '{}' is both required and excluded", tag);
        }
    }
    return {};
}

std::string KernelQueryResult::inconsistency() const {
    const auto better = [](const KernelMatch& a, const KernelMatch& b) {
        return a.score > b.score;
    };
    if (!std::is_sorted(matching_kernels.begin(), matching_kernels.end(), better)) {
        return "matching_kernels must be ranked, best score first";
    }
    if (matching_kernels.size() > total_matches) {
        return fmt::format("{} kernels, but total_matches says {}", matching_kernels.size(),
                           total_matches);
    }
    return {};
}

std::optional<double> CacheTelemetry::hit_rate() const {
    const auto lookups = static_cast<double>(hits) + static_cast<double>(misses);
    if (lookups == 0) return std::nullopt;
    return static_cast<double>(hits) / lookups;
}

}  // namespace esper::contracts
