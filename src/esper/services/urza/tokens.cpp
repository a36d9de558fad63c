#include "esper/services/urza/tokens.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/utf8.h"
#include "esper/contracts/rule_check.h"
#include "esper/execution/kernels/kernel_bundle.h"

namespace esper::urza {
namespace {

using nlohmann::json;
constexpr std::string_view kPrefix = "esper_";

tl::unexpected<Error> bad_file(const std::filesystem::path& file, const std::string& what) {
    return fail(UrzaError::kBadTokens,
                fmt::format("{}: {}; delete it and make the tokens again with esper token add",
                            file.string(), what));
}

std::string text_of(const json& entry, const char* name) {
    const auto found = entry.is_object() ? entry.find(name) : entry.end();
    return found != entry.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

bool is_caller_name(std::string_view name) {
    constexpr std::size_t kLongest = 100;
    const bool has_control = std::ranges::any_of(name, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
    });
    return name.find_first_not_of(' ') != std::string_view::npos && name.size() <= kLongest &&
           !has_control && is_utf8(name);
}

Result<std::string> Tokens::add(const Caller& caller) {
    if (!is_caller_name(caller.name))
        return fail(UrzaError::kBadRequest,
                    "a token's name says whose it is: expected 1 to 100 bytes of UTF-8 without "
                    "control characters, not spaces alone");
    const std::lock_guard lock(mutex_);
    ESPER_TRY(auto entries, read_locked());
    for (const auto& entry : entries)
        if (entry.caller.name == caller.name)
            return fail(UrzaError::kConflict,
                        fmt::format("{} has a token; esper token revoke {} takes it back",
                                    caller.name, caller.name));
    // 32 random bytes: the secret half of a fresh key serves.
    ESPER_TRY(const auto random, execution::generate_key_pair());
    std::string token = std::string(kPrefix) + execution::to_hex(random.secret);
    entries.push_back({caller, sha256(token).hex()});
    ESPER_CHECK_STATUS(write_locked(entries));
    return token;
}

Status Tokens::remove(std::string_view name) {
    const std::lock_guard lock(mutex_);
    ESPER_TRY(auto entries, read_locked());
    const auto removed =
        std::erase_if(entries, [&](const Entry& entry) { return entry.caller.name == name; });
    if (removed == 0)
        return fail(UrzaError::kUnknownToken,
                    fmt::format("{} has no token; esper token ls shows who has", name));
    return write_locked(entries);
}

Result<std::vector<Tokens::Entry>> Tokens::all() {
    const std::lock_guard lock(mutex_);
    return read_locked();
}

Result<std::optional<Caller>> Tokens::find(std::string_view token) {
    const std::string digest = sha256(token).hex();
    const std::lock_guard lock(mutex_);
    ESPER_TRY(const auto entries, read_locked());
    std::optional<Caller> found;
    for (const auto& entry : entries)
        if (CRYPTO_memcmp(entry.sha256.data(), digest.data(), digest.size()) == 0)
            found = entry.caller;
    return found;
}

Result<std::vector<Tokens::Entry>> Tokens::read_locked() {
    std::error_code missing;
    const auto changed = std::filesystem::last_write_time(file_, missing);
    if (missing) return std::vector<Entry>();
    if (changed == seen_) return entries_;
    const auto text = execution::read_bundle_file(file_);
    if (!text) return bad_file(file_, text.error().message());
    const json list = json::parse(*text, nullptr, false);
    if (!list.is_array()) return bad_file(file_, "this is no list");
    std::vector<Entry> entries;
    std::size_t useless = 0;
    for (const auto& item : list) {
        const auto role = contracts::from_text<contracts::AccessRole>(text_of(item, "role"));
        Entry entry{{text_of(item, "name"), role.value_or(contracts::AccessRole::kResearcher)},
                    text_of(item, "sha256")};
        if (!role || entry.caller.name.empty() ||
            !contracts::has_format(entry.sha256, contracts::Format::kSha256))
            ++useless;  // it lets nobody in, and shuts nobody else out
        else
            entries.push_back(std::move(entry));
    }
    if (useless > 0 && entries.empty())
        return bad_file(file_, "an entry must have name, role and sha256");
    useless_ = useless;
    entries_ = entries;
    seen_ = changed;
    return entries;
}

Status Tokens::write_locked(const std::vector<Entry>& entries) {
    json list = json::array();
    for (const auto& entry : entries)
        list.push_back({{"name", entry.caller.name},
                        {"role", contracts::to_text(entry.caller.role)},
                        {"sha256", entry.sha256}});
    const int made = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (made >= 0) ::close(made);  // write_file_atomic keeps its permission bits
    ESPER_CHECK_STATUS(write_file_atomic(file_, list.dump()));
    seen_ = {};
    return {};
}

}  // namespace esper::urza
