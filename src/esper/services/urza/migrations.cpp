#include "esper/services/urza/migrations.h"

#include <fmt/format.h>

#include <array>

#include "migrations_embedded.h"

namespace esper::urza {
namespace {

/// In order; a released file never changes.
constexpr auto kMigrations = std::to_array<std::string_view>({kLibrary001, kLibrary002});

Result<std::int64_t> version_of(Database& database) {
    ESPER_TRY(auto select, database.prepare("PRAGMA user_version"));
    ESPER_CHECK_STATUS(select.step());
    const std::int64_t version = select.integer(0);
    if (version <= static_cast<std::int64_t>(kMigrations.size())) return version;
    return fail(UrzaError::kTooNew,
                fmt::format("this library has tables of version {}, this build knows {}; use the "
                            "newer Esper, or set ESPER_LIBRARY to another folder",
                            version, kMigrations.size()));
}

Status apply_next(Database& database) {
    ESPER_TRY(const std::int64_t version, version_of(database));
    const auto next = static_cast<std::size_t>(version);
    if (next >= kMigrations.size()) return {};  // another process did it
    ESPER_CHECK_STATUS(database.run(std::string(kMigrations[next])));
    return database.run(fmt::format("PRAGMA user_version = {}", next + 1));
}

}  // namespace

Status migrate(Database& database) {
    for (;;) {
        ESPER_TRY(const std::int64_t version, version_of(database));
        if (version == static_cast<std::int64_t>(kMigrations.size())) return {};
        ESPER_CHECK_STATUS(database.run("BEGIN IMMEDIATE"));
        Status done = apply_next(database);
        if (done) done = database.run("COMMIT");
        if (!done && database.in_transaction()) (void)database.run("ROLLBACK");
        ESPER_CHECK_STATUS(done);
    }
}

Status check_version(Database& database) {
    ESPER_TRY(const std::int64_t version, version_of(database));
    if (version > 0) return {};
    return fail(UrzaError::kDamaged, "the library's file has no tables; delete it");
}

}  // namespace esper::urza
