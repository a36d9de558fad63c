#include "esper/services/records/events.h"

#include <fmt/format.h>

#include "esper/base/text.h"

namespace esper::records {

namespace {

using enum FieldType;

constexpr bool kOptional = false;

const EventKind* find_kind(std::string_view name) {
    for (const auto& kind : event_kinds())
        if (kind.name == name) return &kind;
    return nullptr;
}

}  // namespace

const std::vector<EventKind>& event_kinds() {
    static const std::vector<EventKind> kinds = {
        {"decision",
         "what the controller commanded for a seed, and why",
         {{"command", kText},
          {"slot", kInteger},
          {"seed", kText},
          {"anchor", kText},
          {"blueprint", kText},
          {"reason", kText},
          {"evidence", kObject},
          {"alternatives", kList}}},
        {"transition",
         "a seed went from one state of its life to the next",
         {{"seed", kText},
          {"anchor", kText},
          {"from", kText},
          {"to", kText},
          {"slot", kInteger, kOptional},
          {"blueprint", kText, kOptional},
          {"reason", kText, kOptional}}},
        {"gate",
         "one look at what a seed is worth",
         {{"seed", kText},
          {"anchor", kText},
          {"blueprint", kText},
          {"stage", kText},
          {"look", kInteger},
          {"verdict", kText},
          {"examples", kInteger},
          {"mean", kNumber},
          {"lower", kNumber},
          {"upper", kNumber},
          {"rent", kNumber}}},
        {"readout",
         "what a candidate would gain, measured before it germinates",
         {{"anchor", kText}, {"blueprint", kText}, {"gain", kNumber}, {"gamma", kNumber}}},
        {"rejected",
         "a chosen candidate did not germinate after all",
         {{"anchor", kText}, {"blueprint", kText}, {"reason", kText}}},
        {"refused",
         "a measurement was not made, because what measuring may cost is spent",
         {{"what", kText},
          {"cost", kNumber},
          {"balance", kNumber},
          {"seed", kText, kOptional},
          {"anchor", kText, kOptional},
          {"blueprint", kText, kOptional}}},
        {"scale",
         "a seed's output was scaled before it was blended in",
         {{"seed", kText}, {"factor", kNumber}, {"loss_without", kNumber}, {"loss_with", kNumber}}},
        {"health",
         "what was seen at a slot in one epoch",
         {{"slot", kInteger},
          {"anchor", kText},
          {"seed", kText},
          {"state", kText},
          {"samples", kInteger},
          {"activation_variance", kNumber},
          {"dead_ratio", kNumber},
          {"gradient_norm", kNumber},
          {"alpha", kNumber, kOptional}}},
        {"fault",
         "a seed failed and was taken out",
         {{"seed", kText},
          {"anchor", kText},
          {"reason", kText},
          {"slot", kInteger, kOptional},
          {"blueprint", kText, kOptional},
          {"state", kText, kOptional},
          {"error", kText, kOptional}}},
        {"kernel",
         "whether a native kernel or the operators compute a seed that has just germinated",
         {{"seed", kText},
          {"anchor", kText},
          {"blueprint", kText},
          {"runs", kText},
          {"why", kText},
          {"kernel", kText, kOptional},
          {"object", kText, kOptional},
          {"gain", kNumber, kOptional},
          {"gain_low", kNumber, kOptional},
          {"gain_high", kNumber, kOptional},
          {"refused", kList, kOptional}}},
        {"past_runs",
         "what the library's past runs say of the blueprints that could germinate here",
         {{"blueprints", kList}}},
        {"kernel_fault",
         "a seed's kernel failed or is gone; the operators compute the seed from here on",
         {{"seed", kText},
          {"anchor", kText},
          {"blueprint", kText},
          {"kernel", kText},
          {"reason", kText},
          {"evicted", kText}}},
        {"broken_seal",
         "the table of the seeds' states was overwritten by foreign code; the run stopped",
         {{"reason", kText}}},
        {"rollback",
         "the run went back to a checkpoint",
         {{"trouble", kText},
          {"reason", kText},
          {"evidence", kObject},
          {"to_step", kInteger},
          {"rate_factor", kNumber},
          {"rollbacks", kInteger},
          {"failed_seed", kObject, kOptional},
          {"failed_split", kObject, kOptional},
          {"failed_blueprint_id", kText, kOptional}}},
        {"split",
         "a block of the network became two",
         {{"block", kText},
          {"copy", kText},
          {"reason", kText},
          {"evidence", kObject},
          {"parameters", kInteger}}},
        {"split_kept",
         "the training loss after a split did not speak against it",
         {{"block", kText},
          {"copy", kText},
          {"split_step", kInteger},
          {"loss_before", kNumber},
          {"loss", kNumber}}},
        {"resolution",
         "the images became larger",
         {{"from", kInteger},
          {"to", kInteger},
          {"share", kNumber},
          {"flops_per_example", kInteger}}},
        {"rollback_refused", "the run could not go back when it was asked to", {{"reason", kText}}},
        {"control",
         "a person asked for something while the run trained",
         {{"action", kText},
          {"by", kText},
          {"at", kText},
          {"outcome", kText},
          {"reason", kText, kOptional}}},
        {"checkpoint", "a checkpoint was written", {{"kind", kText}, {"file", kText}}},
        {"sample", "text that the network wrote", {{"when", kText}, {"text", kText}}},
        {"pictures",
         "images that the network was shown, with what it took them for",
         {{"when", kText},
          {"height", kInteger},
          {"width", kInteger},
          {"channels", kInteger},
          {"pictures", kList}}},
        {"precision",
         "the arithmetic that run.precision: auto chose",
         {{"chosen", kText},
          {"fp32_ms", kNumber, kOptional},
          {"bf16_ms", kNumber, kOptional},
          {"why", kText, kOptional}}},
        {"forked",
         "the run goes on from a checkpoint of a trunk, to be finished at a smaller budget",
         {{"checkpoint", kText},
          {"spent", kNumber},
          {"flops_total", kNumber},
          {"wall_seconds", kNumber},
          {"budget", kText}}},
        {"ended_early", "the run learnt no more and ended before its length", {{"reason", kText}}},
        {"resumed_with", "the configuration was changed on resume", {{"keys", kObject}}},
    };
    return kinds;
}

Result<Event> Event::make(nlohmann::json content) {
    static constexpr Field kCommon[] = {{"event", kText}, {"step", kInteger}, {"epoch", kInteger}};
    ESPER_CHECK_STATUS(check_fields(content, kCommon));
    Event event;
    event.kind_ = text_of(content, "event");
    const auto* kind = find_kind(event.kind_);
    if (kind == nullptr) {
        std::vector<std::string> names;
        for (const auto& known : event_kinds()) names.emplace_back(known.name);
        return fail(RecordsError::kBadRecord,
                    fmt::format("no kind of event is called {}",
                                quote_with_suggestion(event.kind_, names)));
    }
    if (auto checked = check_fields(content, kind->fields); !checked)
        return fail(checked.error().within("event '" + event.kind_ + "'"));
    event.step_ = integer_of(content, "step");
    event.epoch_ = integer_of(content, "epoch");
    event.content_ = std::move(content);
    return event;
}

Result<Event> Event::make(const std::string& kind, std::int64_t step, std::int64_t epoch,
                          nlohmann::json detail) {
    detail["event"] = kind;
    detail["step"] = step;
    detail["epoch"] = epoch;
    return make(std::move(detail));
}

Result<Event> Event::parse(std::string_view line) {
    ESPER_TRY(auto content, parse_object(line));
    return make(std::move(content));
}

}  // namespace esper::records
