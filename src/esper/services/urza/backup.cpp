#include "esper/services/urza/backup.h"

#include <fmt/format.h>
#include <unistd.h>

#include "esper/base/files.h"
#include "esper/services/urza/artifacts.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/file_system.h"
#include "esper/services/urza/library_copy.h"
#include "esper/services/urza/migrations.h"
#include "esper/services/urza/sqlite_database.h"
#include "esper/services/urza/table_copy.h"

namespace esper::urza {
namespace {

namespace fs = std::filesystem;

/// `backup/` and `backup` are one folder.
fs::path without_slash(const fs::path& folder) {
    const fs::path plain = folder.lexically_normal();
    return plain.has_filename() ? plain : plain.parent_path();
}

/// Where a new folder is made, to be given its name when it is complete.
Result<fs::path> part_beside(const fs::path& folder) {
    std::error_code error;
    if (fs::exists(folder, error))
        return fail(UrzaError::kConflict,
                    folder.string() + " is there; name a folder that a backup can make");
    const fs::path above = fs::absolute(folder).lexically_normal().parent_path();
    fs::create_directories(above, error);
    std::string name = (above / (folder.filename().string() + ".part-XXXXXX")).string();
    if (::mkdtemp(name.data()) == nullptr)
        return fail(UrzaError::kReadOnly,
                    fmt::format("{}: no folder can be made in it", above.string()));
    return fs::path(name);
}

}  // namespace

Result<Copied> DatabaseLibrary::copy_into(const fs::path& folder) {
    const fs::path keys = folder / "keys";
    ESPER_CHECK_STATUS(make_private_folder(keys));
    ESPER_CHECK_STATUS(execution::KeyFolder(keys).keep_ring(ring_));
    ESPER_TRY(const auto to,
              SqliteDatabase::open(folder / kDatabaseFile, SqliteDatabase::Mode::kReadWrite));
    ESPER_CHECK_STATUS(migrate(*to));
    ESPER_TRY(const auto from, reader());
    Snapshot snapshot(*from);
    ESPER_CHECK_STATUS(snapshot.begin());
    ESPER_CHECK_STATUS(to->begin());
    Copied copied;
    ESPER_TRY(copied.rows, copy_tables(*from, *to));
    ESPER_CHECK_STATUS(to->run("COMMIT"));
    ESPER_TRY(const auto digests, needed_objects(*from));
    Artifacts objects(folder / "objects");
    ESPER_TRY(copied.objects, copy_objects(digests, *objects_, objects));
    return copied;
}

Result<Copied> back_up(const std::string& address, const std::string& objects,
                       const fs::path& named) {
    const fs::path folder = without_slash(named);
    ESPER_TRY(const fs::path part, part_beside(folder));
    auto library = open_database_library(address, objects);
    auto copied = library ? (*library)->copy_into(part) : tl::unexpected(library.error());
    std::error_code error;
    if (copied) fs::rename(part, folder, error);
    if (copied && !error) return copied;
    std::error_code ignored;
    fs::remove_all(part, ignored);
    if (!copied) return copied;
    return fail(UrzaError::kReadOnly, fmt::format("{}: {}", folder.string(), error.message()));
}

}  // namespace esper::urza
