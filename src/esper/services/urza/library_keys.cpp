#include "esper/services/urza/library_keys.h"

#include <fmt/format.h>

#include <filesystem>

#include "esper/services/urza/ledger.h"
#include "esper/services/urza/library.h"

namespace esper::urza {

execution::KeyFolder keys_of(const std::string& address, Clock& clock) {
    return execution::KeyFolder(execution::KeyFolder::default_path(local_folder(address)), clock);
}

bool keys_are_there(const execution::KeyFolder& keys) {
    std::error_code ignored;
    return std::filesystem::exists(keys.path() / "ring", ignored);
}

Error no_keys(const std::string& library, const execution::KeyFolder& keys) {
    return fail(execution::TrustError::kNoKey,
                fmt::format("{} has no keys, so nothing of {} can be trusted; copy the keys of "
                            "those who share it there, or name their folder in ESPER_KEYS",
                            keys.path().string(), library))
        .value();
}

bool is_sealed_by_others(Database& database, const execution::KeyRing& ring) {
    const auto head = read_head(database, ring);
    return !head && head.error().is(execution::TrustError::kUnknownKey);
}

std::string sealed_by_others(const execution::KeyFolder& keys) {
    return fmt::format(
        "can be read only: its ledger is sealed by a key that {} does not know; copy "
        "the keys of those who share it there, or name their folder in ESPER_KEYS",
        keys.path().string());
}

}  // namespace esper::urza
