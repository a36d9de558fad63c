#include "esper/services/supply/known_refusals.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/services/tezzeret/emit_cpp.h"
#include "esper/services/urza/library.h"
#include "esper/version.h"

namespace esper::supply {

namespace {

using nlohmann::json;

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

std::filesystem::path file_in(const std::string& library) {
    return urza::local_folder(library) / "unsupported.jsonl";
}

std::string key_of(const ports::KernelNeed& need) {
    static const auto compiler = sha256(tezzeret::kernel_prelude() + ESPER_VERSION).hex();
    Sha256Hasher hasher;
    hasher.update_field(compiler).update_field(need.branch).update_field(need.precision);
    for (const auto size : need.sample) hasher.update_field(std::to_string(size));
    return hasher.finish().hex();
}

}  // namespace

std::optional<std::string> known_refusal(const std::string& library,
                                         const ports::KernelNeed& need) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file_in(library), error);
    if (error || size > kMostBytes) return {};
    std::ifstream file(file_in(library));
    const auto key = key_of(need);
    for (std::string line; std::getline(file, line);) {
        const auto said = json::parse(line, nullptr, false);
        if (said.is_object() && said.value("key", "") == key) return said.value("why", "");
    }
    return {};
}

// One line at once: two processes may add to the file.
void remember_refusal(const std::string& library, const ports::KernelNeed& need,
                      const std::string& why) {
    if (known_refusal(library, need)) return;
    std::ofstream file(file_in(library), std::ios::app);
    file << json{{"key", key_of(need)}, {"blueprint", need.blueprint}, {"why", why}}.dump() + "\n";
}

}  // namespace esper::supply
