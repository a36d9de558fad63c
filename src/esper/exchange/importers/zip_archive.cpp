#include "esper/exchange/importers/zip_archive.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

namespace esper::graph {

namespace {

// PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16, 4.5.3.
constexpr std::uint32_t kLocal = 0x04034b50;
constexpr std::uint32_t kEntry = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kLocator64 = 0x07064b50;
constexpr std::uint64_t kEntrySize = 46;
constexpr std::uint64_t kLocalSize = 30;
constexpr std::uint64_t kEndSize = 22;
constexpr std::uint64_t kLongestComment = 65535;
constexpr std::uint64_t kMostMembers = 1'000'000;
constexpr std::uint32_t kEscape32 = 0xffffffffU;

tl::unexpected<Error> bad(std::string why) {
    return fail(GraphError::kMalformed, "not a whole ZIP archive: " + std::move(why));
}

struct Directory {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t count = 0;
};

class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}

    bool has(std::uint64_t at, std::uint64_t size) const {
        return at <= bytes_.size() && size <= bytes_.size() - at;
    }
    /// Little-endian; the caller has asked has().
    template <typename T>
    T number(std::uint64_t at) const {
        T value = 0;
        std::memcpy(&value, bytes_.data() + at, sizeof(T));
        return value;
    }
    std::uint32_t signature(std::uint64_t at) const {
        return has(at, 4) ? number<std::uint32_t>(at) : 0;
    }
    std::string_view text(std::uint64_t at, std::uint64_t size) const {
        return bytes_.substr(at, size);
    }
    std::uint64_t size() const { return bytes_.size(); }

  private:
    std::string_view bytes_;
};

std::optional<std::uint64_t> find_end(const Reader& reader) {
    if (reader.size() < kEndSize) return std::nullopt;
    const auto last = reader.size() - kEndSize;
    const auto first = last > kLongestComment ? last - kLongestComment : 0;
    for (auto at = last;; --at) {
        if (reader.signature(at) == kEnd &&
            reader.number<std::uint16_t>(at + 20) == reader.size() - at - kEndSize)
            return at;
        if (at == first) return std::nullopt;
    }
}

Result<Directory> find_directory(const Reader& reader) {
    const auto end = find_end(reader);
    if (!end) return bad("its end record is missing; the file may have been cut short");
    Directory directory{reader.number<std::uint32_t>(*end + 16),
                        reader.number<std::uint32_t>(*end + 12),
                        reader.number<std::uint16_t>(*end + 10)};
    if (*end >= 20 && reader.signature(*end - 20) == kLocator64) {
        const auto at = reader.number<std::uint64_t>(*end - 12);
        if (!reader.has(at, 56) || reader.signature(at) != kEnd64)
            return bad("its ZIP64 end record is not where it should be");
        directory = {reader.number<std::uint64_t>(at + 48), reader.number<std::uint64_t>(at + 40),
                     reader.number<std::uint64_t>(at + 32)};
    }
    if (!reader.has(directory.offset, directory.size))
        return bad("its directory lies outside of the file");
    if (directory.count > kMostMembers || directory.count > directory.size / kEntrySize)
        return fail(GraphError::kTooLarge,
                    fmt::format("the archive says it has {} members, more than its directory "
                                "can hold",
                                directory.count));
    return directory;
}

struct Entry {
    std::string name;
    ZipArchive::Member member;
};

// The sizes and offset that do not fit into 32 bits stand in an extra field, in this order.
Status widen(const Reader& reader, std::uint64_t at, std::uint64_t length, std::uint64_t& size,
             std::uint64_t& packed, std::uint64_t& local) {
    const auto end = at + length;
    while (at + 4 <= end) {
        const auto id = reader.number<std::uint16_t>(at);
        const std::uint64_t field = reader.number<std::uint16_t>(at + 2);
        at += 4;
        if (field > end - at) return bad("an extra field is longer than its place");
        if (id == 1) {
            auto from = at;
            for (auto* value : {&size, &packed, &local}) {
                if (*value != kEscape32) continue;
                if (from + 8 > at + field) return bad("a ZIP64 field is too short");
                *value = reader.number<std::uint64_t>(from);
                from += 8;
            }
        }
        at += field;
    }
    return {};
}

Result<Entry> read_entry(const Reader& reader, std::uint64_t& at, std::uint64_t end) {
    if (end - at < kEntrySize || reader.signature(at) != kEntry)
        return bad("its directory ends early");
    const auto flags = reader.number<std::uint16_t>(at + 8);
    const auto method = reader.number<std::uint16_t>(at + 10);
    const auto crc = reader.number<std::uint32_t>(at + 16);
    std::uint64_t packed = reader.number<std::uint32_t>(at + 20);
    std::uint64_t size = reader.number<std::uint32_t>(at + 24);
    const std::uint64_t name_length = reader.number<std::uint16_t>(at + 28);
    const std::uint64_t extra_length = reader.number<std::uint16_t>(at + 30);
    const std::uint64_t comment_length = reader.number<std::uint16_t>(at + 32);
    std::uint64_t local = reader.number<std::uint32_t>(at + 42);
    const auto length = kEntrySize + name_length + extra_length + comment_length;
    if (length > end - at) return bad("its directory ends early");
    std::string name(reader.text(at + kEntrySize, name_length));
    ESPER_CHECK_STATUS(
        widen(reader, at + kEntrySize + name_length, extra_length, size, packed, local));
    at += length;
    if ((flags & 0x2041U) != 0)
        return fail(ImportError::kUnsupported, "member '" + name + "' is encrypted");
    if (method != 0)
        return fail(ImportError::kUnsupported,
                    fmt::format("member '{}' is compressed (method {}); PyTorch stores members "
                                "uncompressed, so pack the archive that way",
                                name, method));
    if (packed != size) return bad("member '" + name + "' has two sizes");
    if (!reader.has(local, kLocalSize) || reader.signature(local) != kLocal)
        return bad("member '" + name + "' is not where the directory says");
    const auto start = local + kLocalSize + reader.number<std::uint16_t>(local + 26) +
                       reader.number<std::uint16_t>(local + 28);
    if (!reader.has(start, size)) return bad("member '" + name + "' reaches beyond the file");
    return Entry{std::move(name), {start, size, crc}};
}

Status check_overlaps(const std::map<std::string, ZipArchive::Member, std::less<>>& members) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const auto& [name, m] : members)
        if (m.size > 0) ranges.emplace_back(m.offset, m.offset + m.size);
    std::sort(ranges.begin(), ranges.end());
    for (std::size_t i = 1; i < ranges.size(); ++i)
        if (ranges[i].first < ranges[i - 1].second) return bad("two members share bytes");
    return {};
}

std::uint32_t crc_of(std::string_view bytes) {
    uLong crc = ::crc32(0, nullptr, 0);
    constexpr std::size_t kStep = std::size_t{1} << 30;
    for (std::size_t at = 0; at < bytes.size(); at += kStep) {
        const auto part = bytes.substr(at, kStep);
        crc = ::crc32(crc, reinterpret_cast<const Bytef*>(part.data()),
                      static_cast<uInt>(part.size()));
    }
    return static_cast<std::uint32_t>(crc);
}

}  // namespace

Result<ZipArchive> ZipArchive::open(std::string_view bytes) {
    const Reader reader(bytes);
    ESPER_TRY(const auto directory, find_directory(reader));
    ZipArchive archive(bytes);
    auto at = directory.offset;
    for (std::uint64_t i = 0; i < directory.count; ++i) {
        ESPER_TRY(auto entry, read_entry(reader, at, directory.offset + directory.size));
        if (!archive.members_.emplace(entry.name, entry.member).second)
            return bad("it has two members named '" + entry.name + "'");
    }
    ESPER_CHECK_STATUS(check_overlaps(archive.members_));
    return archive;
}

const ZipArchive::Member* ZipArchive::find(std::string_view name) const {
    const auto it = members_.find(name);
    return it == members_.end() ? nullptr : &it->second;
}

Status ZipArchive::check(std::string_view name, const Member& member) const {
    if (crc_of(bytes_.substr(member.offset, member.size)) == member.crc32) return {};
    return fail(GraphError::kHashMismatch,
                fmt::format("the bytes of member '{}' do not have the checksum that the archive "
                            "gives for them; the file is damaged",
                            name));
}

Result<std::string_view> ZipArchive::read(std::string_view name) const {
    const auto* member = find(name);
    if (member == nullptr)
        return fail(GraphError::kUnknownName, fmt::format("the archive has no member '{}'", name));
    ESPER_CHECK_STATUS(check(name, *member));
    return bytes_.substr(member->offset, member->size);
}

}  // namespace esper::graph
