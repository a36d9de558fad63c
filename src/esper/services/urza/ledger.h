#pragma once

#include <functional>
#include <optional>

#include "esper/services/urza/database.h"
#include "esper/services/urza/library.h"

namespace esper::urza {

/// The ledger: one entry for each change, each with the hash of the one before, so that none can be
/// changed or left out alone; the library's key signs the last.

/// What an entry says; number, time and hash are filled in.
struct LedgerNote {
    std::string actor, action, subject;
    std::string digest;  ///< SHA-256 of what was added, or of the words of the change
};
Status append_entry(Database& database, std::int64_t utc_ns, const LedgerNote& note);
/// The last entry's number and hash; number 0 for none.
Result<LedgerHead> last_entry(Database& database);
/// Whether the ledger has this entry; true for number 0.
Result<bool> has_entry(Database& database, const LedgerHead& entry);
/// Signs the head unless it is signed.
Status sign_head(Database& database, const execution::Signer& library);
Result<std::vector<LedgerEntry>> read_entries(Database& database, std::uint64_t after,
                                              std::uint32_t limit);
/// The head that was signed; number 0 for an empty ledger.
/// Errors: kBrokenLedger, those of KeyRing::check.
Result<LedgerHead> read_head(Database& database, const execution::KeyRing& ring);
/// What a signed statement says the head is. Errors: kBrokenLedger, those of KeyRing::check.
Result<LedgerHead> head_of(const std::string& statement, const execution::Seal& seal,
                           const execution::KeyRing& ring);

/// Gives the entries after that number, in order.
using LedgerPages = std::function<Result<std::vector<LedgerEntry>>(std::uint64_t after)>;
/// Follows the chain from its beginning to `head`, calling `visit` with each entry. Error:
/// kBrokenLedger, with the entry.
Status follow_ledger(const LedgerPages& pages, const LedgerHead& head,
                     const std::optional<LedgerHead>& remembered,
                     const std::function<void(const LedgerEntry&)>& visit = {});
/// The same for the ledger of a database.
Status verify_ledger(Database& database, const execution::KeyRing& ring,
                     const std::optional<LedgerHead>& remembered);

}  // namespace esper::urza
