// Any journal must give kBrokenChain, or entries that are written as the same bytes. The first byte
// says whether the links and hashes of all lines are corrected first, so that later checks are
// reached too.

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "esper/base/hash.h"
#include "esper/program/edits/journal.h"
#include "esper/program/edits/journal_entry.h"

namespace {

using namespace esper::graph;

// The lines that are JSON objects, with new links and hashes, written as Esper writes them.
std::string chained(std::string_view content) {
    std::string out;
    std::string previous(kNoPrevious);
    std::uint64_t index = 0;
    while (!content.empty()) {
        const auto end = content.find('\n');
        auto object = nlohmann::json::parse(content.substr(0, end), nullptr, false);
        content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
        if (!object.is_object()) continue;
        object.erase("hash");
        object["index"] = index++;
        object["previous"] = previous;
        const auto dump = [&] {
            return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        };
        previous = esper::Sha256Hasher().update_field(previous).update_field(dump()).finish().hex();
        object["hash"] = previous;
        out += dump() + '\n';
    }
    return out;
}

void check(std::string_view content) {
    const auto entries = parse_journal(content);
    if (!entries) {
        if (!entries.error().is(GraphError::kBrokenChain)) std::abort();
        return;
    }
    std::string written;
    for (const auto& entry : *entries) written += entry_line(entry) + '\n';
    if (written != content) std::abort();
    [[maybe_unused]] const auto program = replay(*entries);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] % 2 == 0) {
        check(content);
    } else {
        check(chained(content));
    }
    return 0;
}
