#include "esper/services/urza/ledger.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "esper/base/hash.h"

namespace esper::urza {
namespace {

using nlohmann::json;

std::string hash_of(const LedgerEntry& entry, std::string_view previous) {
    Sha256Hasher hasher;
    hasher.update_field("esper-ledger-1").update_u64(entry.number);
    for (const std::string_view field :
         {previous, std::string_view(entry.at), std::string_view(entry.actor),
          std::string_view(entry.action), std::string_view(entry.subject),
          std::string_view(entry.digest)}) {
        hasher.update_field(field);
    }
    return hasher.finish().hex();
}

tl::unexpected<Error> broken(std::uint64_t number, std::string_view what) {
    return fail(
        UrzaError::kBrokenLedger,
        fmt::format("entry {} of the ledger: {}; somebody changed the database. Take it from "
                    "a copy, or make a new library",
                    number, what));
}

}  // namespace

Result<LedgerHead> last_entry(Database& database) {
    ESPER_TRY(auto last, database.prepare("SELECT number, hash FROM ledger ORDER BY number DESC "
                                          "LIMIT 1"));
    ESPER_TRY(const bool found, last.step());
    if (!found) return LedgerHead{};
    return LedgerHead{static_cast<std::uint64_t>(last.integer(0)), last.text(1)};
}

Result<bool> has_entry(Database& database, const LedgerHead& entry) {
    if (entry.number == 0) return true;
    ESPER_TRY(auto select, database.prepare("SELECT hash FROM ledger WHERE number = ?"));
    select.bind(static_cast<std::int64_t>(entry.number));
    ESPER_TRY(const bool found, select.step());
    return found && select.text(0) == entry.hash;
}

Status append_entry(Database& database, std::int64_t utc_ns, const LedgerNote& note) {
    ESPER_TRY(const LedgerHead last, last_entry(database));
    LedgerEntry entry{last.number + 1,
                      contracts::to_string(contracts::Timestamp{utc_ns}),
                      note.actor,
                      note.action,
                      note.subject,
                      note.digest,
                      ""};
    entry.hash = hash_of(entry, last.hash);
    ESPER_TRY(auto insert,
              database.prepare("INSERT INTO ledger (number, at, actor, action, subject, "
                               "digest, hash) VALUES (?, ?, ?, ?, ?, ?, ?)"));
    insert.bind(static_cast<std::int64_t>(entry.number)).bind(entry.at).bind(entry.actor);
    insert.bind(entry.action).bind(entry.subject).bind(entry.digest).bind(entry.hash);
    return insert.run();
}

Status sign_head(Database& database, const execution::Signer& library) {
    ESPER_TRY(const LedgerHead last, last_entry(database));
    const std::string statement = json{{"number", last.number}, {"hash", last.hash}}.dump();
    ESPER_TRY(const execution::Seal seal, library.seal(execution::kLedgerHeadType, statement));
    ESPER_TRY(auto put,
              database.prepare("INSERT INTO ledger_head (one, statement, library_key, "
                               "library_signature) VALUES (1, ?, ?, ?) ON CONFLICT (one) DO UPDATE "
                               "SET statement = excluded.statement, "
                               "library_key = excluded.library_key, "
                               "library_signature = excluded.library_signature"));
    put.bind_blob(statement).bind(seal.key);
    put.bind_blob({reinterpret_cast<const char*>(seal.signature.data()), seal.signature.size()});
    return put.run();
}

Result<std::vector<LedgerEntry>> read_entries(Database& database, std::uint64_t after,
                                              std::uint32_t limit) {
    ESPER_TRY(auto select,
              database.prepare("SELECT number, at, actor, action, subject, digest, hash "
                               "FROM ledger WHERE number > ? ORDER BY number LIMIT ?"));
    select.bind(static_cast<std::int64_t>(after)).bind(static_cast<std::int64_t>(limit));
    std::vector<LedgerEntry> entries;
    for (;;) {
        ESPER_TRY(const bool more, select.step());
        if (!more) return entries;
        entries.push_back({static_cast<std::uint64_t>(select.integer(0)), select.text(1),
                           select.text(2), select.text(3), select.text(4), select.text(5),
                           select.text(6)});
    }
}

Result<LedgerHead> read_head(Database& database, const execution::KeyRing& ring) {
    ESPER_TRY(auto select, database.prepare("SELECT statement, library_key, library_signature FROM "
                                            "ledger_head"));
    ESPER_TRY(const bool found, select.step());
    if (!found) {
        ESPER_TRY(const LedgerHead last, last_entry(database));
        if (last.number != 0) return broken(last.number, "nobody signed the head");
        return LedgerHead{};
    }
    const std::string signature = select.text(2);
    execution::Seal seal{select.text(1), {}};
    if (signature.size() != seal.signature.size())
        return broken(0, "the head's signature has another length");
    std::copy(signature.begin(), signature.end(), seal.signature.begin());
    return head_of(select.text(0), seal, ring);
}

Result<LedgerHead> head_of(const std::string& statement, const execution::Seal& seal,
                           const execution::KeyRing& ring) {
    ESPER_CHECK_STATUS(
        ring.check(execution::KeyRole::kLibrary, execution::kLedgerHeadType, statement, seal));
    const json said = json::parse(statement, nullptr, false);
    if (!said.is_object() || !said.value("number", json()).is_number_unsigned() ||
        !said.value("hash", json()).is_string())
        return broken(0, "the head says neither number nor hash");
    return LedgerHead{said["number"], said["hash"], statement, seal};
}

Status follow_ledger(const LedgerPages& pages, const LedgerHead& head,
                     const std::optional<LedgerHead>& remembered,
                     const std::function<void(const LedgerEntry&)>& visit) {
    std::string previous;
    std::uint64_t number = 0;
    bool recognised = !remembered || remembered->number == 0;
    bool is_another = false;
    while (number <= head.number) {
        ESPER_TRY(const auto entries, pages(number));
        if (entries.empty()) break;
        for (const auto& entry : entries) {
            if (entry.number != number + 1) return broken(number + 1, "it is missing");
            if (entry.hash != hash_of(entry, previous))
                return broken(entry.number, "it is not what its hash says");
            number = entry.number;
            previous = entry.hash;
            if (visit) visit(entry);
            if (remembered && remembered->number == number) {
                recognised = remembered->hash == entry.hash;
                is_another = !recognised;
            }
        }
    }
    if (head.number != number || head.hash != previous)
        return broken(number, fmt::format("the signed head is entry {}", head.number));
    if (is_another)
        return broken(remembered->number,
                      "it is another than the one remembered, unless that is of another library");
    if (!recognised)
        return broken(
            number, fmt::format("it ends here, but entry {} was seen before", remembered->number));
    return {};
}

Status verify_ledger(Database& database, const execution::KeyRing& ring,
                     const std::optional<LedgerHead>& remembered) {
    ESPER_TRY(const LedgerHead head, read_head(database, ring));
    constexpr std::uint32_t kAtOnce = 1000;
    return follow_ledger(
        [&](std::uint64_t after) { return read_entries(database, after, kAtOnce); }, head,
        remembered);
}

}  // namespace esper::urza
