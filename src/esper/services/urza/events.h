#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "esper/services/urza/library.h"

namespace esper::urza {

/// The ledger is also the library's list of events: every change writes one entry in its own
/// transaction, and gets its number under the lock that admits one writer at a time. So numbers
/// have no gaps, stand in the order of the commits, and whoever has seen entry N misses nothing by
/// asking for what comes after N. What workers do to jobs (claims, leases) is no change of the
/// library, and no event.

/// What kind of change it is: `blueprint.submitted`, `blueprint.status`, `kernel.ready`,
/// `kernel.characterized`, `kernel.deprecated`, `kernel.collected`, `field_reports`,
/// `work.retried`; `other` for what a newer version writes.
std::string_view topic_of(const LedgerEntry& entry);

/// A reader's place among the events of a library, of any implementation.
class EventCursor {
  public:
    /// Begins with the entry after that number; 0: with the first. The library must outlive it.
    EventCursor(Library& library, std::uint64_t after) : library_(&library), after_(after) {}
    /// The next ones, each once and in order; none where there are no more yet. Errors: those of
    /// Library::ledger and Library::head; kConflict where the ledger ends before the place, so that
    /// it is another one or an older copy; kBrokenLedger where a number is missing. The place stays
    /// as it was then.
    Result<std::vector<LedgerEntry>> next(std::uint32_t most);
    /// The number of the last one that next() gave.
    std::uint64_t place() const { return after_; }

  private:
    Library* library_;
    std::uint64_t after_;
};

}  // namespace esper::urza
