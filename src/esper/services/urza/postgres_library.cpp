#include <fmt/format.h>

#include <filesystem>

#include "esper/base/environment.h"
#include "esper/services/urza/artifacts.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/library_keys.h"
#include "esper/services/urza/migrations.h"
#include "esper/services/urza/postgres_database.h"
#include "esper/services/urza/row_objects.h"
#include "esper/services/urza/s3_objects.h"

// The library in a PostgreSQL database.

namespace esper::urza {
namespace {

namespace fs = std::filesystem;
using Mode = PostgresDatabase::Mode;
constexpr std::string_view kRows = "rows";

/// The place as it is written down, "" for none: of a folder the absolute name.
std::string written_place(const std::string& named) {
    std::string place = named.empty() ? environment("ESPER_OBJECTS") : named;
    if (place.empty() || place == kRows || place.find("://") != std::string::npos) return place;
    return fs::absolute(place).lexically_normal().string();
}

Result<std::string> recorded_place(Database& database) {
    ESPER_TRY(auto select, database.prepare("SELECT place FROM object_place"));
    ESPER_TRY(const bool found, select.step());
    return found ? select.text(0) : std::string();
}

/// Where this library's objects lie, which its first user decides: of two users with different
/// places each would miss what the other added.
Result<std::string> agreed_place(Database& database, const std::string& wanted) {
    ESPER_TRY(const std::string place, recorded_place(database));
    if (place.empty()) return wanted.empty() ? std::string(kRows) : wanted;
    if (wanted.empty() || wanted == place) return place;
    return fail(UrzaError::kBadAddress,
                fmt::format("the objects of this library lie in {}, as its first user decided, not "
                            "in {}; leave --objects and ESPER_OBJECTS out, or copy the objects and "
                            "UPDATE object_place SET place = '{}'",
                            place, wanted, wanted));
}

Status record_place(Database& database, const std::string& place) {
    ESPER_TRY(auto insert, database.prepare("INSERT INTO object_place (one, place) VALUES (1, ?) "
                                            "ON CONFLICT DO NOTHING"));
    ESPER_CHECK_STATUS(insert.bind(place).run());
    ESPER_CHECK_STATUS(agreed_place(database, place));  // another user may have been first
    return {};
}

Result<std::unique_ptr<Objects>> open_objects(const std::string& place, const std::string& name,
                                              const std::string& address, Mode mode) {
    if (place == kRows)
        return std::make_unique<RowObjects>(
            name, [address, mode] { return PostgresDatabase::open(address, mode); });
    if (place.starts_with("s3://")) return S3Objects::open(place);
    if (place.starts_with('/')) return std::make_unique<Artifacts>(place);
    return fail(UrzaError::kBadAddress,
                fmt::format("{}: expected a folder, s3://BUCKET/PREFIX or rows as the place of "
                            "objects",
                            place));
}

/// Whether this user may add rows, and the server takes any (a standby does not).
Result<bool> may_write(Database& database) {
    ESPER_TRY(auto ask, database.prepare("SELECT NOT pg_is_in_recovery() AND has_table_privilege("
                                         "'ledger', 'INSERT') AND has_table_privilege('kernel', "
                                         "'INSERT')"));
    ESPER_CHECK_STATUS(ask.step());
    return ask.text(0) == "t";
}

/// Makes what is missing where this user may. Whether it may change the library.
Result<bool> make_tables(Database& database) {
    ESPER_TRY(const std::int64_t version, database.version());
    if (version > 0) {
        ESPER_TRY(const bool may, may_write(database));
        if (!may) return false;
    }
    ESPER_CHECK_STATUS(migrate(database));
    return true;
}

Result<std::unique_ptr<DatabaseLibrary>> open(const std::string& address,
                                              const std::string& objects, bool to_look_at,
                                              Clock& clock) {
    const auto keys = keys_of(address, clock);
    DatabaseLibrary::Parts parts;
    parts.name = without_password(address);
    parts.connect_to_read = [address] { return PostgresDatabase::open(address, Mode::kReadOnly); };
    parts.why_not = to_look_at ? "was opened to be looked at"
                               : "cannot be written by this user, or is a standby; GRANT it the "
                                 "right to, or name another library (ESPER_LIBRARY)";
    ESPER_TRY(auto database,
              PostgresDatabase::open(address, to_look_at ? Mode::kReadOnly : Mode::kReadWrite));
    bool may = false;
    if (!to_look_at) {
        ESPER_TRY(may, make_tables(*database));
    }
    if (!may) {
        ESPER_TRY(const std::int64_t version, database->version());
        if (version == 0) return fail(UrzaError::kReadOnly, parts.name + " holds no library");
        ESPER_CHECK_STATUS(check_version(*database));
    }
    ESPER_TRY(const std::string place, agreed_place(*database, written_place(objects)));
    ESPER_TRY(parts.objects,
              open_objects(place, parts.name, address, may ? Mode::kReadWrite : Mode::kReadOnly));
    if (may) {
        ESPER_CHECK_STATUS(record_place(*database, place));
        ESPER_TRY(const auto last, last_entry(*database));
        if (last.number > 0 && !keys_are_there(keys)) return fail(no_keys(parts.name, keys));
        ESPER_CHECK_STATUS(keys.make_missing());
    }
    ESPER_TRY(parts.ring, keys.ring());
    if (may && is_sealed_by_others(*database, parts.ring)) {
        parts.why_not = sealed_by_others(keys);
        may = false;
    }
    if (may) {
        ESPER_TRY(parts.signer, keys.signer(execution::KeyRole::kLibrary));
        parts.writer = std::move(database);
    }
    return std::make_unique<DatabaseLibrary>(std::move(parts), clock);
}

}  // namespace

Result<std::unique_ptr<DatabaseLibrary>> open_postgres_library(const std::string& address,
                                                               const std::string& objects,
                                                               Clock& clock) {
    return open(address, objects, false, clock);
}

Result<std::unique_ptr<DatabaseLibrary>> open_postgres_library_to_read(const std::string& address,
                                                                       const std::string& objects,
                                                                       Clock& clock) {
    return open(address, objects, true, clock);
}

}  // namespace esper::urza
