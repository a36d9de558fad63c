#include "esper/services/urza/migrations.h"

#include <fmt/format.h>

#include <array>

#include "migrations_embedded.h"

namespace esper::urza {
namespace {

/// In order; a released file never changes.
constexpr auto kSqlite = std::to_array<std::string_view>({kSqlite001, kSqlite002, kSqlite003});
constexpr auto kPostgres =
    std::to_array<std::string_view>({kPostgres001, kPostgres002, kPostgres003});
/// A version means the same tables in every database.
static_assert(kSqlite.size() == kPostgres.size());
constexpr auto kNewest = static_cast<std::int64_t>(kSqlite.size());

std::string migration(Dialect dialect, std::int64_t number) {
    const auto at = static_cast<std::size_t>(number - 1);
    return std::string(dialect == Dialect::kSqlite ? kSqlite[at] : kPostgres[at]);
}

Result<std::int64_t> version_of(Database& database) {
    ESPER_TRY(const std::int64_t version, database.version());
    if (version <= kNewest) return version;
    return fail(UrzaError::kTooNew,
                fmt::format("this library has tables of version {}, this build knows {}; use the "
                            "newer Esper, or set ESPER_LIBRARY to another library",
                            version, kNewest));
}

Status apply_next(Database& database, std::int64_t newest) {
    ESPER_TRY(const std::int64_t version, version_of(database));
    if (version >= newest) return {};  // another process did it
    ESPER_CHECK_STATUS(database.run(migration(database.dialect(), version + 1)));
    return database.set_version(version + 1);
}

}  // namespace

Status migrate(Database& database, std::int64_t to) {
    const std::int64_t newest = to == 0 ? kNewest : to;
    for (;;) {
        ESPER_TRY(const std::int64_t version, version_of(database));
        if (version >= newest) return {};
        ESPER_CHECK_STATUS(database.begin());
        Status done = apply_next(database, newest);
        if (done) done = database.run("COMMIT");
        if (!done && database.in_transaction()) (void)database.run("ROLLBACK");
        ESPER_CHECK_STATUS(done);
    }
}

Result<bool> is_up_to_date(Database& database) {
    ESPER_CHECK_STATUS(check_version(database));
    ESPER_TRY(const std::int64_t version, version_of(database));
    return version == kNewest;
}

Status check_version(Database& database) {
    ESPER_TRY(const std::int64_t version, version_of(database));
    if (version > 0) return {};
    return fail(UrzaError::kDamaged, "the library's file has no tables; delete it");
}

}  // namespace esper::urza
