#include "esper/services/urza/other_keys.h"

#include <fmt/format.h>

#include <filesystem>

#include "esper/services/urza/ledger.h"

namespace esper::urza {

bool keys_are_there(const execution::KeyFolder& keys) {
    std::error_code ignored;
    return std::filesystem::exists(keys.path() / "ring", ignored);
}

Error no_keys(const std::string& library, const execution::KeyFolder& keys) {
    return fail(execution::TrustError::kNoKey,
                fmt::format("{} has no keys, and {} was filled with some that are elsewhere; copy "
                            "the keys of those who share it there, or name their folder in "
                            "ESPER_KEYS",
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
