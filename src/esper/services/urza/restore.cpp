#include <fmt/format.h>

#include <optional>
#include <vector>

#include "esper/base/files.h"
#include "esper/services/urza/artifacts.h"
#include "esper/services/urza/backup.h"
#include "esper/services/urza/backup_check.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/file_system.h"
#include "esper/services/urza/library_copy.h"
#include "esper/services/urza/library_keys.h"
#include "esper/services/urza/postgres_database.h"
#include "esper/services/urza/server_address.h"
#include "esper/services/urza/table_copy.h"

// From a backup into an empty library. Everything that can be wrong with the backup or the keys is
// looked for before anything is made.

namespace esper::urza {
namespace {

namespace fs = std::filesystem;
using execution::KeyFolder;
using execution::TrustError;

/// Whether these keys sealed what the backup holds.
Status check_seal(BackupToRead& backup, const execution::KeyRing& ring, const fs::path& folder,
                  const std::string& whose) {
    const Status known = verify_ledger(backup.database(), ring, {});
    if (known) return {};
    return fail(known.error().within(
        fmt::format("{} is damaged, or was sealed by other keys than {} has; bring the folder of "
                    "keys that you kept (ESPER_KEYS)",
                    folder.string(), whose)));
}

/// Whether these keys sealed the backup, and can seal what is added to it.
Status check_keys(BackupToRead& backup, const KeyFolder& keys, const fs::path& folder) {
    ESPER_TRY(const auto ring, keys.ring());
    ESPER_CHECK_STATUS(check_seal(backup, ring, folder, keys.path().string()));
    ESPER_CHECK_STATUS(keys.signer(execution::KeyRole::kLibrary));
    return {};
}

/// Where keys may lie that are not the new library's own: with the library that this user uses, in
/// the user's folder, in the backup.
std::vector<KeyFolder> other_keys(const fs::path& backup) {
    std::vector<KeyFolder> found;
    for (const auto& keys :
         {keys_of(""), keys_of(default_folder().string()), KeyFolder(backup / "keys")})
        if (keys_are_there(keys)) found.push_back(keys);
    return found;
}

/// The keys to copy to a library that has none; nothing where it has them, or where there is
/// nothing that needs them. Errors: those of check_keys, kNoKey.
Result<std::optional<KeyFolder>> keys_to_bring(BackupToRead& backup, const fs::path& folder,
                                               const std::string& address) {
    const KeyFolder own = keys_of(address);
    const bool has_own = keys_are_there(own);
    const Status fit = has_own ? check_keys(backup, own, folder) : Status();
    if (has_own && fit) return std::optional<KeyFolder>();
    std::optional<Error> damage;
    for (const auto& keys : other_keys(folder)) {
        const Status fits = check_keys(backup, keys, folder);
        if (fits && has_own)
            return fail(fit.error().within(fmt::format(
                "the keys in {} sealed it: name them in ESPER_KEYS", keys.path().string())));
        if (fits && own.path() == fs::path(address) / "keys") return std::optional(keys);
        if (!fits && !fits.error().is(TrustError::kUnknownKey) &&
            !fits.error().is(TrustError::kNoKey))
            damage = fits.error();
    }
    if (has_own) return fail(fit.error());
    if (damage) return fail(*damage);
    if (verify_ledger(backup.database(), execution::KeyRing(), {}))
        return std::optional<KeyFolder>();  // nothing was ever sealed
    return fail(
        TrustError::kNoKey,
        fmt::format("{} has no keys, and none that this user has sealed what {} holds; name "
                    "the folder of keys that you kept in ESPER_KEYS",
                    own.path().string(), folder.string()));
}

/// Why no keys fit: where the backup's own do not either, that is damage.
Error why_no_keys(BackupToRead& backup, const fs::path& folder, const Error& error) {
    const auto own = KeyFolder(folder / "keys").ring();
    if (!error.is(TrustError::kNoKey) || !own) return as_damage(folder, error);
    const Status sealed = verify_ledger(backup.database(), *own, {});
    return sealed ? error : as_damage(folder, sealed.error()).within(folder.string());
}

/// Everything that can be wrong with the backup; the keys to bring, as keys_to_bring.
Result<std::optional<KeyFolder>> check_all(const fs::path& folder, const std::string& address) {
    const auto backup = BackupToRead::open(folder);
    if (!backup) return fail(as_damage(folder, backup.error()));
    auto keys = keys_to_bring(**backup, folder, address);
    if (!keys) return fail(why_no_keys(**backup, folder, keys.error()));
    const KeyFolder used = *keys ? **keys : keys_of(address);
    execution::KeyRing ring;
    if (keys_are_there(used)) {
        ESPER_TRY(ring, used.ring());
    }
    ESPER_CHECK_STATUS(check_backup(**backup, folder, ring));
    return keys;
}

Status bring_keys(const KeyFolder& from, const fs::path& to) {
    ESPER_CHECK_STATUS(make_private_folder(to));
    std::error_code error;
    std::vector<fs::path> files;
    for (fs::directory_iterator at(from.path(), error), end; !error && at != end;
         at.increment(error))
        if (at->path().extension() == ".key") files.push_back(at->path());
    files.push_back(from.path() / "ring");  // the last: with it they are there
    for (const auto& file : files) {
        if (!error) fs::copy_file(file, to / file.filename(), error);  // keeps its mode
        if (error)
            return fail(FileError::kUnwritable,
                        fmt::format("{}: {}", (to / file.filename()).string(), error.message()));
    }
    return {};
}

/// Takes away what was made in a folder that was to become a library, unless that is kept.
class Undo {
  public:
    explicit Undo(const fs::path& folder) : folder_(fs::absolute(folder).lexically_normal()) {
        if (folder_.filename().empty()) folder_ = folder_.parent_path();
        for (fs::path at = folder_; is_missing(at); at = at.parent_path()) made_.assign(1, at);
        if (!made_.empty()) return;
        const std::string database = kDatabaseFile;
        for (const auto& name : {database, database + "-wal", database + "-shm",
                                 std::string("objects"), std::string("keys")})
            if (is_missing(folder_ / name)) made_.push_back(folder_ / name);
    }
    Undo(const Undo&) = delete;
    Undo& operator=(const Undo&) = delete;
    ~Undo() {
        std::error_code ignored;
        for (const auto& path : made_) fs::remove_all(path, ignored);
    }
    void keep() { made_.clear(); }

  private:
    static bool is_missing(const fs::path& path) {
        std::error_code ignored;
        return fs::symlink_status(path, ignored).type() == fs::file_type::not_found;
    }
    fs::path folder_;
    std::vector<fs::path> made_;
};

Result<Copied> copy(const fs::path& folder, const std::string& address,
                    const std::string& objects) {
    ESPER_TRY(const auto library, open_database_library(address, objects));
    return library->copy_from(folder);
}

}  // namespace

Result<Copied> DatabaseLibrary::copy_from(const fs::path& folder) {
    ESPER_CHECK_STATUS(may_change());
    ESPER_TRY(const auto backup, BackupToRead::open(folder));
    ESPER_CHECK_STATUS(check_seal(*backup, ring_, folder, name_));
    const auto refuse_filled = [&](Database& database) -> Status {
        ESPER_TRY(const auto last, last_entry(database));
        if (last.number == 0) return {};
        return fail(UrzaError::kConflict,
                    fmt::format("{} is not empty ({} entries in its ledger); a backup is restored "
                                "into a new library",
                                name_, last.number));
    };
    {
        ESPER_TRY(const auto database, reader());
        ESPER_CHECK_STATUS(refuse_filled(*database));
    }
    Copied copied;
    ESPER_TRY(const auto digests, needed_objects(backup->database()));
    Artifacts objects(folder / "objects");
    ESPER_TRY(copied.objects, copy_objects(digests, objects, *objects_));
    const Status stored = write([&](Database& to) -> Status {
        ESPER_CHECK_STATUS(refuse_filled(to));
        ESPER_TRY(copied.rows, copy_tables(backup->database(), to));
        return {};
    });
    if (!stored) return fail(stored.error());
    return copied;
}

Result<Copied> restore(const fs::path& folder, const std::string& named,
                       const std::string& objects) {
    const std::string address = named.empty() ? default_library_path() : named;
    ESPER_CHECK_STATUS(refuse_server(address, "esper library restore"));
    std::error_code ignored;
    if (!fs::exists(folder / kDatabaseFile, ignored))
        return fail(FileError::kNotFound,
                    fmt::format("{} holds no {}; name a folder that esper library backup made",
                                folder.string(), kDatabaseFile));
    ESPER_TRY(const auto keys, check_all(folder, address));
    if (is_postgres(address)) return copy(folder, address, objects);
    Undo undo(address);
    if (keys) ESPER_CHECK_STATUS(bring_keys(*keys, fs::path(address) / "keys"));
    auto copied = copy(folder, address, objects);
    if (copied) undo.keep();
    return copied;
}

}  // namespace esper::urza
