#pragma once

#include "esper/contracts/declare.h"
#include "esper/services/urza/events.h"

namespace esper::urza {

/// An event as the library's server sends it.
struct LibraryEvent {
    ESPER_CONTRACT(LibraryEvent, 230, "A change of the library: an entry of its ledger")
    ESPER_REQUIRED(1, std::int64_t, number, at_least(1), "One more than that of the event before")
    ESPER_REQUIRED(2, std::string, topic, length(1, 64), "e.g. kernel.ready")
    ESPER_REQUIRED(3, std::string, at, length(1, 64), "UTC, ISO 8601")
    ESPER_REQUIRED(4, std::string, actor, length(1, 4096), "Who did it")
    ESPER_REQUIRED(5, std::string, action, length(1, 65536), "What was done")
    ESPER_FIELD(6, std::string, subject, "", length(0, 4096), "The id of what it is about")
    ESPER_FIELD(7, std::string, digest, "", length(0, 64), "SHA-256 of what was added")
    ESPER_REQUIRED(8, std::string, hash, length(64, 64), "Over this entry and the one before")
};

LibraryEvent event_of(const LedgerEntry& entry);

}  // namespace esper::urza
