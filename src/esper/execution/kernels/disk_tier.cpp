#include "esper/execution/kernels/disk_tier.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

#include "esper/base/fault_points.h"
#include "esper/base/files.h"
#include "esper/base/hash.h"

namespace esper::execution {
namespace {

constexpr std::string_view kMagic = "ESPKERNL";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeader = 8 + 4 + 8 + 8;
constexpr std::size_t kDigest = 32;
constexpr std::string_view kSuffix = ".kernel";
constexpr std::string_view kBanList = "banned.txt";

FaultPoint read_fault{"cache.disk.read"};
FaultPoint write_fault{"cache.disk.write"};

template <typename T>
void put_raw(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <typename T>
T get_raw(std::string_view bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

std::optional<std::uint64_t> parse_id(std::string_view hex) {
    std::uint64_t id = 0;
    if (hex.size() != 16) return std::nullopt;
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + 16, id, 16);
    if (error != std::errc() || end != hex.data() + 16) return std::nullopt;
    return id;
}

}  // namespace

std::string encode_disk_entry(std::uint64_t id, std::string_view bytes) {
    std::string out;
    out.reserve(kHeader + bytes.size() + kDigest);
    out += kMagic;
    put_raw(out, kVersion);
    put_raw(out, id);
    put_raw(out, static_cast<std::uint64_t>(bytes.size()));
    out += bytes;
    const Sha256 digest = sha256(out);
    out.append(reinterpret_cast<const char*>(digest.bytes.data()), kDigest);
    return out;
}

Result<std::string> decode_disk_entry(std::uint64_t id, std::string_view file) {
    auto bad = [id](std::string_view what) {
        return fail(CacheError::kBadDiskEntry,
                    fmt::format("{:016x}{}: {}; it is fetched anew", id, kSuffix, what));
    };
    if (file.size() < kHeader + kDigest) return bad("shorter than a header and a checksum");
    if (file.substr(0, 8) != kMagic) return bad("not a cached kernel");
    if (get_raw<std::uint32_t>(file, 8) != kVersion) return bad("of another version");
    const std::uint64_t length = file.size() - kHeader - kDigest;
    if (get_raw<std::uint64_t>(file, 20) != length) return bad("of another length than it says");
    const Sha256 digest = sha256(file.substr(0, file.size() - kDigest));
    if (std::memcmp(digest.bytes.data(), file.data() + file.size() - kDigest, kDigest) != 0) {
        return bad("the checksum does not match");
    }
    if (get_raw<std::uint64_t>(file, 12) != id) return bad("another kernel's file under this name");
    return std::string(file.substr(kHeader, length));
}

Result<std::unique_ptr<DiskTier>> DiskTier::open(std::filesystem::path folder,
                                                 std::uint64_t byte_budget) {
    std::unique_ptr<DiskTier> tier(new DiskTier(std::move(folder), byte_budget));
    ESPER_CHECK_STATUS(tier->scan());
    return tier;
}

Status DiskTier::scan() {
    namespace fs = std::filesystem;
    std::error_code code;
    fs::create_directories(folder_, code);
    struct Found {
        fs::file_time_type written;
        std::uint64_t id, size;
    };
    std::vector<Found> found;
    for (fs::directory_iterator it(folder_, code), end; !code && it != end; it.increment(code)) {
        const std::string name = it->path().filename().string();
        std::error_code ignored;
        if (name.starts_with(".esper-") && name.ends_with(".tmp")) {
            fs::remove(it->path(), ignored);
        } else if (name.ends_with(kSuffix)) {
            const auto id =
                parse_id(std::string_view(name).substr(0, name.size() - kSuffix.size()));
            const std::uint64_t size = it->file_size(ignored);
            if (id && !ignored) found.push_back({it->last_write_time(ignored), *id, size});
        }
    }
    if (code) {
        return fail(CacheError::kDiskUnavailable,
                    fmt::format("the cache folder {} cannot be used: {}; choose another or make it "
                                "writable",
                                folder_.string(), code.message()));
    }
    std::ranges::sort(found, {}, &Found::written);
    std::lock_guard lock(mutex_);
    for (const Found& f : found) {
        files_[f.id] = {f.size, order_.insert(order_.end(), f.id)};
        bytes_ += f.size;
    }
    return {};
}

std::filesystem::path DiskTier::path_of(std::uint64_t id) const {
    return folder_ / fmt::format("{:016x}{}", id, kSuffix);
}

void DiskTier::drop_locked(std::uint64_t id) {
    const auto it = files_.find(id);
    if (it == files_.end()) return;
    bytes_ -= it->second.size;
    order_.erase(it->second.order);
    files_.erase(it);
}

std::optional<std::string> DiskTier::get(std::uint64_t id) {
    {
        std::lock_guard lock(mutex_);
        const auto it = files_.find(id);
        if (it == files_.end()) return std::nullopt;
        order_.splice(order_.end(), order_, it->second.order);
    }
    Result<std::string> file = read_file(path_of(id), byte_budget_ + kHeader + kDigest);
    if (read_fault.fires() && file && !file->empty()) file->back() = ~file->back();
    if (file) file = decode_disk_entry(id, *file);
    if (file) return std::move(*file);
    remove(id);
    std::lock_guard lock(mutex_);
    ++corrupt_;
    return std::nullopt;
}

Status DiskTier::put(std::uint64_t id, std::string_view bytes) {
    const std::string file = encode_disk_entry(id, bytes);
    if (file.size() > byte_budget_) return {};
    Status written = write_fault.fires()
                         ? Status(fail(FileError::kUnwritable, "injected: cache.disk.write"))
                         : write_file_atomic(path_of(id), file);
    if (!written) {
        return fail(CacheError::kDiskUnavailable,
                    fmt::format("{:016x} was not kept on disk: {}", id, written.error().message()));
    }
    std::vector<std::uint64_t> victims;
    {
        std::lock_guard lock(mutex_);
        drop_locked(id);
        files_[id] = {file.size(), order_.insert(order_.end(), id)};
        bytes_ += file.size();
        while (bytes_ > byte_budget_) {
            victims.push_back(order_.front());
            drop_locked(order_.front());
        }
    }
    std::error_code ignored;
    for (std::uint64_t victim : victims) std::filesystem::remove(path_of(victim), ignored);
    return {};
}

void DiskTier::remove(std::uint64_t id) {
    {
        std::lock_guard lock(mutex_);
        drop_locked(id);
    }
    std::error_code ignored;
    std::filesystem::remove(path_of(id), ignored);
}

Status DiskTier::ban(std::uint64_t id, std::string_view reason) {
    remove(id);
    std::string line = fmt::format("{:016x} {}", id, reason);
    std::ranges::replace(line, '\n', ' ');
    ESPER_TRY(LineAppender list, LineAppender::open(folder_ / kBanList));
    ESPER_CHECK_STATUS(list.append(line));
    return list.sync();
}

std::unordered_map<std::uint64_t, std::string> DiskTier::banned() const {
    std::unordered_map<std::uint64_t, std::string> ids;
    const auto text = read_file(folder_ / kBanList);
    if (!text) return ids;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        // In an incomplete last line a complete id still counts: it was about to be banned.
        const auto id = parse_id(line.substr(0, 16));
        if (id) ids[*id] = line.size() > 17 ? std::string(line.substr(17)) : std::string();
    }
    return ids;
}

std::uint64_t DiskTier::bytes() const {
    std::lock_guard lock(mutex_);
    return bytes_;
}

std::uint64_t DiskTier::entries() const {
    std::lock_guard lock(mutex_);
    return files_.size();
}

std::uint64_t DiskTier::corrupt_found() const {
    std::lock_guard lock(mutex_);
    return corrupt_;
}

}  // namespace esper::execution
