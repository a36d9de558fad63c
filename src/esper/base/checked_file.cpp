#include <fmt/format.h>

#include <cstring>

#include "esper/base/files.h"
#include "esper/base/hash.h"

namespace esper {
namespace {

constexpr std::size_t kMagicSize = 8;
constexpr std::size_t kHeaderSize = kMagicSize + 4 + 8;
constexpr std::size_t kDigestSize = 32;

template <typename Integer>
void put(std::string& out, Integer value) {
    for (std::size_t i = 0; i < sizeof value; ++i) {
        out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
    }
}

template <typename Integer>
Integer get(std::string_view bytes) {
    Integer value = 0;
    for (std::size_t i = sizeof value; i-- > 0;) {
        value = static_cast<Integer>((value << 8) | static_cast<unsigned char>(bytes[i]));
    }
    return value;
}

Status check_magic(const std::filesystem::path& path, std::string_view magic8) {
    if (magic8.size() == kMagicSize) return {};
    return fail(FileError::kBadArgument, fmt::format("{}: expected a magic of {} bytes, got {}",
                                                     path.string(), kMagicSize, magic8.size()));
}

}  // namespace

Status write_checked_file(const std::filesystem::path& path, std::string_view magic8,
                          std::uint32_t version, std::span<const std::string_view> payload) {
    ESPER_CHECK_STATUS(check_magic(path, magic8));
    std::uint64_t length = 0;
    for (const std::string_view piece : payload) length += piece.size();
    std::string header(magic8);
    put(header, version);
    put(header, length);

    Sha256Hasher hasher;
    hasher.update(header);
    std::vector<std::string_view> pieces{header};
    for (const std::string_view piece : payload) {
        hasher.update(piece);
        pieces.push_back(piece);
    }
    const Sha256 digest = hasher.finish();
    pieces.emplace_back(reinterpret_cast<const char*>(digest.bytes.data()), kDigestSize);
    return write_file_atomic(path, pieces);
}

Result<CheckedFile> read_checked_file(const std::filesystem::path& path, std::string_view magic8) {
    ESPER_CHECK_STATUS(check_magic(path, magic8));
    ESPER_TRY(std::string content, read_file(path));
    const std::string_view whole = content;
    if (!magic8.starts_with(whole.substr(0, kMagicSize))) {
        return fail(FileError::kNotEnvelope,
                    fmt::format("{}: expected a file that starts with '{}'; this is another kind",
                                path.string(), magic8));
    }
    const auto truncated = [&](std::uint64_t expected) {
        return fail(FileError::kTruncated,
                    fmt::format("{}: expected {} bytes or more, found {}; take an older copy",
                                path.string(), expected, whole.size()));
    };
    if (whole.size() < kHeaderSize + kDigestSize) return truncated(kHeaderSize + kDigestSize);
    const auto version = get<std::uint32_t>(whole.substr(kMagicSize));
    const auto length = get<std::uint64_t>(whole.substr(kMagicSize + 4));
    const std::uint64_t room = whole.size() - kHeaderSize - kDigestSize;
    if (length > room) return truncated(length);

    const std::string_view hashed = whole.substr(0, whole.size() - kDigestSize);
    const Sha256 digest = sha256(hashed);
    const bool same =
        std::memcmp(digest.bytes.data(), whole.data() + hashed.size(), kDigestSize) == 0;
    if (length != room || !same) {
        return fail(FileError::kChecksumMismatch,
                    fmt::format("{}: its SHA-256 does not match its content; it was damaged, take "
                                "an older copy",
                                path.string()));
    }
    content.resize(hashed.size());
    content.erase(0, kHeaderSize);
    return CheckedFile{.version = version, .payload = std::move(content)};
}

}  // namespace esper
