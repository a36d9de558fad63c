#include "esper/cli/library_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "esper/cli/library_text.h"
#include "esper/cli/print.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/urza/events.h"

namespace esper::cli {

namespace {

constexpr std::uint32_t kEventsAtOnce = 500;
constexpr std::chrono::milliseconds kPause{500}, kLongestPause{30'000};

void print(const urza::LedgerEntry& entry, bool as_json) {
    if (as_json) {
        auto event = entry_json(entry);
        event["topic"] = urza::topic_of(entry);
        print_json_line(event);
    } else {
        std::printf("%s\n", records::printable(
                                fmt::format("{:>6}  {}  {:<20}  {}  {}", entry.number, entry.at,
                                            urza::topic_of(entry), entry.subject, entry.actor))
                                .c_str());
    }
}

}  // namespace

Status print_events(urza::Library& library, std::uint64_t after, bool follow, bool as_json) {
    urza::EventCursor cursor(library, after);
    auto pause = kPause;
    for (;;) {
        const auto entries = cursor.next(kEventsAtOnce);
        const bool is_gone = !entries && entries.error().is(urza::UrzaError::kUnreachable);
        if (!entries && !(follow && is_gone)) return fail(entries.error());
        if (is_gone && pause == kPause)
            std::fprintf(stderr, "esper: %s; trying again\n", entries.error().to_string().c_str());
        pause = is_gone ? std::min(2 * pause, kLongestPause) : kPause;
        if (entries)
            for (const auto& entry : *entries) print(entry, as_json);
        std::fflush(stdout);
        if (entries && entries->size() == kEventsAtOnce) continue;
        if (!follow) return {};
        std::this_thread::sleep_for(pause);
    }
}

}  // namespace esper::cli
