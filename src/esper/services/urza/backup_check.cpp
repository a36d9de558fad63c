#include "esper/services/urza/backup_check.h"

#include <fmt/format.h>

#include "esper/services/urza/artifacts.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/sqlite_database.h"
#include "esper/services/urza/table_copy.h"

namespace esper::urza {
namespace {

namespace fs = std::filesystem;
using execution::TrustError;

/// The backup as a library that can only be read.
DatabaseLibrary library_of(const BackupToRead& backup, const fs::path& folder,
                           const execution::KeyRing& ring) {
    DatabaseLibrary::Parts parts;
    parts.name = folder.string();
    parts.connect_to_read = [file = backup.file()] {
        return SqliteDatabase::open(file, SqliteDatabase::Mode::kReadOnly);
    };
    parts.why_not = "is a backup";
    parts.objects = std::make_unique<Artifacts>(folder / "objects");
    parts.ring = ring;
    return {std::move(parts), system_clock()};
}

bool is_damage(const Error& wrong) {
    return !wrong.is(execution::KernelError::kAbiMismatch) && !wrong.is(TrustError::kRevokedKey);
}

}  // namespace

Error as_damage(const fs::path& folder, const Error& error) {
    if (error.error_class() == ErrorClass::kVerification) return error;
    for (const UrzaError here : {UrzaError::kReadOnly, UrzaError::kDiskFull, UrzaError::kTooNew,
                                 UrzaError::kUnreachable, UrzaError::kNetworkFileSystem})
        if (error.is(here)) return error;
    if (error.is(TrustError::kNoKey)) return error;
    return fail(UrzaError::kDamaged, fmt::format("{} is damaged; take another backup ({})",
                                                 folder.string(), error.to_string()))
        .value();
}

Status check_backup(BackupToRead& backup, const fs::path& folder, const execution::KeyRing& ring) {
    const Status readable = check_tables(backup.database());
    if (!readable) return fail(as_damage(folder, readable.error()));
    DatabaseLibrary library = library_of(backup, folder, ring);
    const auto found = library.verify({});
    if (!found) return fail(as_damage(folder, found.error()));
    for (const auto& wrong : *found)
        if (is_damage(wrong))
            return fail(
                as_damage(folder, wrong).within(folder.string() + " is not what was backed up"));
    return {};
}

}  // namespace esper::urza
