#include "esper/services/urza/row_objects.h"

#include <fmt/format.h>

#include "esper/base/hash.h"
#include "esper/services/urza/rows.h"

namespace esper::urza {
namespace {

/// Once more on a new connection where the first was lost: each of these may be done twice.
template <typename Work>
auto with_connection(ConnectionPool& connections, const Work& work)
    -> decltype(work(*std::declval<Database*>())) {
    ESPER_TRY(const auto database, connections.take());
    auto done = work(*database);
    if (done || !done.error().is(UrzaError::kUnreachable)) return done;
    ESPER_CHECK_STATUS(database->reconnect());
    return work(*database);
}

}  // namespace

Result<std::string> RowObjects::put(std::string_view content) {
    if (content.size() > kMostBytes)
        return fail(UrzaError::kTooLarge,
                    fmt::format("an object of {} bytes is too large for a row of {}, which takes "
                                "{}; name a folder or s3://BUCKET/PREFIX for the objects of a new "
                                "library ($ESPER_OBJECTS)",
                                content.size(), name_, kMostBytes));
    std::string digest = sha256(content).hex();
    const Status stored = with_connection(connections_, [&](Database& database) -> Status {
        // One that is there becomes young again: a row for it may be about to be written.
        ESPER_TRY(auto insert,
                  database.prepare("INSERT INTO object (digest, content) VALUES (?, ?) ON CONFLICT "
                                   "(digest) DO UPDATE SET added = excluded.added, content = "
                                   "excluded.content"));
        return insert.bind(digest).bind_blob(content).run();
    });
    ESPER_CHECK_STATUS(stored);
    return digest;
}

Result<std::string> RowObjects::get(std::string_view digest) {
    ESPER_CHECK_STATUS(check_digest(digest));
    return with_connection(connections_, [&](Database& database) -> Result<std::string> {
        const std::string where = fmt::format("{}: object {}", name_, digest);
        ESPER_TRY(auto select, database.prepare("SELECT content FROM object WHERE digest = ?"));
        ESPER_TRY(const bool found, select.bind(digest).step());
        if (!found) return no_object(where);
        std::string content = select.text(0);
        ESPER_CHECK_STATUS(check_object(digest, content, where));
        return content;
    });
}

Result<Objects::Removed> RowObjects::remove_unless(
    const std::function<bool(const std::string&)>& keep) {
    return with_connection(connections_, [&](Database& database) -> Result<Removed> {
        Removed removed;
        const Status looked = each_row(
            database,
            "digest, octet_length(content), CAST(extract(epoch FROM now()) AS BIGINT) - added",
            "object", "digest", [&](const Statement& row) -> Status {
                const std::string digest = row.text(0);
                if (keep(digest)) return {};
                if (row.integer(2) < kYoungSeconds) {
                    ++removed.young;
                    return {};
                }
                // Unless it was stored again since it was looked at.
                ESPER_TRY(auto forget,
                          database.prepare("DELETE FROM object WHERE digest = ? AND added <= "
                                           "CAST(extract(epoch FROM now()) AS BIGINT) - ?"));
                ESPER_CHECK_STATUS(forget.bind(digest).bind(kYoungSeconds).run());
                if (database.changes() == 0) return {};
                ++removed.files;
                removed.bytes += static_cast<std::uint64_t>(row.integer(1));
                return {};
            });
        if (!looked) return fail(looked.error());
        return removed;
    });
}

}  // namespace esper::urza
