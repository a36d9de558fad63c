#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "esper/base/hash.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/work_queue.h"

namespace esper::urza {
namespace {

constexpr std::size_t kIdDigits = 16;
constexpr std::int64_t kFirstBackOffMs = 2'000, kLongestBackOffMs = 300'000;
constexpr std::int64_t kNsInMs = 1'000'000;
constexpr const char* kColumns =
    "id, subject, hardware, state, worker, leased_until, not_before, attempts, said";
// Of a claim that nobody else has made since.
constexpr const char* kOfClaim = "id = ? AND token = ? AND state = 'leased'";
constexpr auto kStates = std::to_array<std::string_view>({"waiting", "leased", "done", "dead"});

std::int64_t back_off(std::int64_t attempts) {
    constexpr std::int64_t kMostDoublings = 20;
    return std::min(kLongestBackOffMs, kFirstBackOffMs << std::min(attempts - 1, kMostDoublings));
}

/// By the clock of the database that several machines share; where one machine has it, by its own.
Result<std::int64_t> now_ms(Database& database, Clock& clock) {
    if (database.dialect() == Dialect::kSqlite) return clock.utc_ns() / kNsInMs;
    ESPER_TRY(auto select,
              database.prepare("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"));
    ESPER_TRY(const bool found, select.step());
    return found ? Result<std::int64_t>(select.integer(0))
                 : fail(UrzaError::kDatabase, "the database tells no time");
}

Result<WorkRow> row_of(const Statement& row) {
    const auto state = state_of_name(row.text(3));
    if (!state)
        return fail(UrzaError::kBadRow, fmt::format("job {} has the state {}, which is none",
                                                    row.text(0), row.text(3)));
    return WorkRow{row.text(0),    row.text(1),    row.text(2),    *state,     row.text(4),
                   row.integer(5), row.integer(6), row.integer(7), row.text(8)};
}

Status stale(const Claim& claim) {
    return fail(UrzaError::kStaleLease,
                fmt::format("job {} is no longer this worker's: its lease was over and another "
                            "claimed it, or it was retried; what this worker made of it is dropped",
                            claim.id));
}

Status unless_stale(Database& database, const Claim& claim) {
    return database.changes() > 0 ? Status{} : stale(claim);
}

}  // namespace

std::string_view state_name(WorkState state) { return kStates.at(static_cast<std::size_t>(state)); }

std::optional<WorkState> state_of_name(std::string_view name) {
    for (std::size_t i = 0; i < kStates.size(); ++i)
        if (kStates.at(i) == name) return static_cast<WorkState>(i);
    return std::nullopt;
}

std::string id_of(const NewWork& work) {
    Sha256Hasher hasher;
    hasher.update_field(work.hardware).update_field(work.orders);
    return hasher.finish().hex().substr(0, kIdDigits);
}

Result<std::string> DatabaseLibrary::order(const NewWork& work) {
    const std::string id = id_of(work);
    const Status stored = write([&](Database& database) -> Status {
        ESPER_TRY(const auto now, now_ms(database, clock_));
        ESPER_TRY(auto insert,
                  database.prepare("INSERT INTO work (id, subject, hardware, orders, state, "
                                   "not_before) VALUES (?, ?, ?, ?, 'waiting', ?) ON CONFLICT (id) "
                                   "DO UPDATE SET state = 'waiting', attempts = 0, said = '', "
                                   "not_before = excluded.not_before WHERE work.state = 'done'"));
        return insert.bind(id)
            .bind(work.subject)
            .bind(work.hardware)
            .bind(work.orders)
            .bind(now)
            .run();
    });
    ESPER_CHECK_STATUS(stored);
    return id;
}

Result<std::optional<Claim>> DatabaseLibrary::claim(std::string_view hardware,
                                                    std::string_view worker,
                                                    std::chrono::milliseconds lease) {
    constexpr const char* kClaimable =
        "SELECT id FROM work WHERE hardware = ? AND ((state = 'waiting' AND not_before <= ?) OR "
        "(state = 'leased' AND leased_until <= ?)) ORDER BY not_before, id LIMIT 1";
    {  // Mostly there is nothing, and to look needs no sync of the disk.
        ESPER_TRY(const auto database, reader());
        ESPER_TRY(const auto now, now_ms(*database, clock_));
        ESPER_TRY(auto select, database->prepare(kClaimable));
        ESPER_TRY(const bool any, select.bind(hardware).bind(now).bind(now).step());
        if (!any) return std::optional<Claim>();
    }
    std::optional<Claim> claimed;
    const Status done = write([&](Database& database) -> Status {
        claimed.reset();
        ESPER_TRY(const auto now, now_ms(database, clock_));
        ESPER_TRY(auto bury,
                  database.prepare("UPDATE work SET state = 'dead', leased_until = 0, said = "
                                   "'no worker that claimed it came back' WHERE hardware = ? AND "
                                   "state = 'leased' AND leased_until <= ? AND attempts >= ?"));
        ESPER_CHECK_STATUS(bury.bind(hardware).bind(now).bind(kMostAttempts).run());
        ESPER_TRY(auto update,
                  database.prepare(fmt::format(
                      "UPDATE work SET state = 'leased', worker = ?, token = token + 1, "
                      "leased_until = ?, attempts = attempts + 1 WHERE id = ({}) RETURNING id, "
                      "token, subject, orders, attempts",
                      kClaimable)));
        update.bind(worker).bind(now + lease.count()).bind(hardware).bind(now).bind(now);
        ESPER_TRY(const bool found, update.step());
        if (!found) return {};
        claimed = Claim{update.text(0), update.integer(1), update.text(2), update.text(3),
                        update.integer(4)};
        // SQLite carries the statement out to its end only when it is asked for another row.
        ESPER_TRY(const bool another, update.step());
        return another ? fail(UrzaError::kDatabase, "two jobs were claimed at once") : Status{};
    });
    ESPER_CHECK_STATUS(done);
    return claimed;
}

Status DatabaseLibrary::extend(const Claim& claim, std::chrono::milliseconds lease) {
    return write([&](Database& database) -> Status {
        ESPER_TRY(const auto now, now_ms(database, clock_));
        ESPER_TRY(auto update, database.prepare(fmt::format(
                                   "UPDATE work SET leased_until = ? WHERE {}", kOfClaim)));
        ESPER_CHECK_STATUS(update.bind(now + lease.count()).bind(claim.id).bind(claim.token).run());
        return unless_stale(database, claim);
    });
}

Status DatabaseLibrary::finish(const Claim& claim, std::string_view result) {
    return write([&](Database& database) -> Status {
        ESPER_TRY(
            auto update,
            database.prepare(fmt::format(
                "UPDATE work SET state = 'done', leased_until = 0, said = ? WHERE {}", kOfClaim)));
        ESPER_CHECK_STATUS(update.bind(result).bind(claim.id).bind(claim.token).run());
        if (database.changes() > 0) return {};
        // Finished twice by the same claim is finished once: an answer may have been lost.
        ESPER_TRY(auto select,
                  database.prepare(
                      "SELECT said FROM work WHERE id = ? AND token = ? AND state = 'done'"));
        ESPER_TRY(const bool done, select.bind(claim.id).bind(claim.token).step());
        if (!done) return stale(claim);
        if (select.text(0) == result) return {};
        return fail(UrzaError::kConflict,
                    fmt::format("job {} was finished by this claim with another result, which "
                                "stays; the second one is dropped",
                                claim.id));
    });
}

Status DatabaseLibrary::attempt_failed(const Claim& claim, std::string_view error) {
    return write([&](Database& database) -> Status {
        ESPER_TRY(const auto now, now_ms(database, clock_));
        ESPER_TRY(auto update,
                  database.prepare(fmt::format(
                      "UPDATE work SET state = CASE WHEN attempts >= ? THEN 'dead' ELSE 'waiting' "
                      "END, leased_until = 0, not_before = ?, said = ? WHERE {}",
                      kOfClaim)));
        ESPER_CHECK_STATUS(update.bind(kMostAttempts)
                               .bind(now + back_off(claim.attempts))
                               .bind(error)
                               .bind(claim.id)
                               .bind(claim.token)
                               .run());
        return unless_stale(database, claim);
    });
}

Status DatabaseLibrary::hand_back(const Claim& claim) {
    return write([&](Database& database) -> Status {
        ESPER_TRY(auto update,
                  database.prepare(fmt::format("UPDATE work SET state = 'waiting', leased_until = "
                                               "0, attempts = attempts - 1 WHERE {}",
                                               kOfClaim)));
        ESPER_CHECK_STATUS(update.bind(claim.id).bind(claim.token).run());
        return unless_stale(database, claim);
    });
}

Result<std::vector<WorkRow>> DatabaseLibrary::work(std::optional<WorkState> state,
                                                   std::string_view after, std::uint32_t limit) {
    ESPER_TRY(const auto database, reader());
    ESPER_TRY(auto select, database->prepare(
                               fmt::format("SELECT {} FROM work WHERE id > ?{} ORDER BY id LIMIT ?",
                                           kColumns, state ? " AND state = ?" : "")));
    select.bind(after);
    if (state) select.bind(state_name(*state));
    select.bind(static_cast<std::int64_t>(limit));
    std::vector<WorkRow> rows;
    for (;;) {
        ESPER_TRY(const bool more, select.step());
        if (!more) return rows;
        ESPER_TRY(rows.emplace_back(), row_of(select));
    }
}

Result<WorkRow> DatabaseLibrary::work_of(std::string_view id) {
    ESPER_TRY(const auto database, reader());
    ESPER_TRY(auto select,
              database->prepare(fmt::format("SELECT {} FROM work WHERE id = ?", kColumns)));
    ESPER_TRY(const bool found, select.bind(id).step());
    if (found) return row_of(select);
    return fail(UrzaError::kUnknownWork,
                fmt::format("there is no job {} here; esper urza work ls shows all", id));
}

Status DatabaseLibrary::retry(std::string_view id, std::string_view actor) {
    ESPER_TRY(const auto row, work_of(id));
    return write([&](Database& database) -> Status {
        ESPER_TRY(const auto now, now_ms(database, clock_));
        ESPER_TRY(auto update,
                  database.prepare("UPDATE work SET state = 'waiting', attempts = 0, not_before = "
                                   "?, said = '' WHERE id = ? AND state IN ('dead', 'done')"));
        ESPER_CHECK_STATUS(update.bind(now).bind(id).run());
        if (database.changes() == 0)
            return fail(UrzaError::kConflict,
                        fmt::format("job {} is {}: only a dead or a done one is retried", id,
                                    state_name(row.state)));
        return append_entry(
            database, clock_.utc_ns(),
            {std::string(actor), "retry work", std::string(id), sha256(row.said).hex()});
    });
}

}  // namespace esper::urza
