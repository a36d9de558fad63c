#include "esper/program/edits/journal_entry.h"

#include <nlohmann/json.hpp>

#include "esper/base/hash.h"
#include "esper/program/text/text_format.h"

namespace esper::graph {
namespace {

using nlohmann::json;

json to_json_without_hash(const JournalEntry& entry) {
    json object{{"index", entry.index},
                {"step", entry.step},
                {"previous", entry.previous},
                {"program_sha256", entry.program_sha256},
                {"reason", entry.reason}};
    if (entry.edit) object["edit"] = to_json(*entry.edit);
    if (entry.initial) object["initial"] = to_text(*entry.initial);
    return object;
}

// A reason may be any text; bytes that are not UTF-8 are replaced, so that the line is valid JSON.
std::string dump(const json& object) {
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string hash_of(const JournalEntry& entry, const json& object) {
    return Sha256Hasher().update_field(entry.previous).update_field(dump(object)).finish().hex();
}

tl::unexpected<Error> broken(std::string_view message) {
    return fail(GraphError::kBrokenChain, std::string(message));
}

const json* member(const json& object, const char* key, json::value_t type) {
    const auto at = object.find(key);
    return at != object.end() && at->type() == type ? &*at : nullptr;
}

Status read_text(const json& object, const char* key, std::string& into) {
    const json* text = member(object, key, json::value_t::string);
    if (!text) return broken(std::string("expected a text under '") + key + "'");
    into = text->get<std::string>();
    return {};
}

Status read_number(const json& object, const char* key, std::uint64_t& into) {
    const json* number = member(object, key, json::value_t::number_unsigned);
    if (!number) return broken(std::string("expected a whole number under '") + key + "'");
    into = number->get<std::uint64_t>();
    return {};
}

}  // namespace

std::string entry_hash(const JournalEntry& entry) {
    return hash_of(entry, to_json_without_hash(entry));
}

std::string entry_line(const JournalEntry& entry) {
    json object = to_json_without_hash(entry);
    object["hash"] = entry.hash;
    return dump(object);
}

Result<JournalEntry> entry_from_line(std::string_view line) {
    const json object = json::parse(line, nullptr, false);
    if (!object.is_object()) return broken("expected a JSON object");
    JournalEntry entry;
    ESPER_CHECK_STATUS(read_number(object, "index", entry.index));
    ESPER_CHECK_STATUS(read_number(object, "step", entry.step));
    ESPER_CHECK_STATUS(read_text(object, "previous", entry.previous));
    ESPER_CHECK_STATUS(read_text(object, "program_sha256", entry.program_sha256));
    ESPER_CHECK_STATUS(read_text(object, "hash", entry.hash));
    ESPER_CHECK_STATUS(read_text(object, "reason", entry.reason));
    if (const auto edit = object.find("edit"); edit != object.end()) {
        auto read = edit_from_json(*edit);
        if (!read) return broken(read.error().message());
        entry.edit = std::move(*read);
    }
    if (object.contains("initial")) {
        std::string text;
        ESPER_CHECK_STATUS(read_text(object, "initial", text));
        auto read = from_text(text);
        if (!read) return broken("the first Program: " + read.error().message());
        entry.initial = std::move(*read);
    }
    if (entry_line(entry) != line) {
        return broken("it is not written as Esper writes it; somebody changed it");
    }
    if (entry.hash != entry_hash(entry)) {
        return broken("its hash does not fit its content; somebody changed it");
    }
    return entry;
}

}  // namespace esper::graph
