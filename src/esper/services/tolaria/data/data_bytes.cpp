#include "esper/services/tolaria/data/data_bytes.h"

#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "esper/base/files.h"
#include "esper/base/printable_text.h"
#include "esper/base/text.h"

namespace esper::tolaria {
namespace {

constexpr std::string_view kGzip = "\x1f\x8b";
constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr int kGzipWindow = 15 + 16;

class Inflater {
  public:
    explicit Inflater(std::string_view packed) : packed_(packed) {
        is_ready_ = inflateInit2(&stream_, kGzipWindow) == Z_OK;
    }
    ~Inflater() {
        if (is_ready_) inflateEnd(&stream_);
    }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    bool is_ready() const { return is_ready_; }
    bool is_at_end() const { return at_ == packed_.size(); }
    /// Appends up to `count` bytes; zlib's code. A file may be several streams, one after another.
    int append(std::string& out, std::size_t count) {
        const auto before = out.size();
        out.resize(before + count);
        const auto given = std::min(packed_.size() - at_, kPiece);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed_.data() + at_));
        stream_.avail_in = static_cast<uInt>(given);
        stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
        stream_.avail_out = static_cast<uInt>(count);
        const int code = inflate(&stream_, Z_NO_FLUSH);
        at_ += given - stream_.avail_in;
        out.resize(before + count - stream_.avail_out);
        return code;
    }
    void next_stream() { inflateReset(&stream_); }
    bool has_next_stream() const { return packed_.substr(at_).starts_with(kGzip); }

  private:
    std::string_view packed_;
    std::size_t at_ = 0;
    z_stream stream_{};
    bool is_ready_ = false;
};

}  // namespace

std::uint64_t most_memory() {
    const auto pages = sysconf(_SC_PHYS_PAGES);
    const auto size = sysconf(_SC_PAGE_SIZE);
    if (pages <= 0 || size <= 0) return std::uint64_t{1} << 32;
    return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size) / 2;
}

Result<std::string> gunzip(std::string_view packed, std::uint64_t limit) {
    Inflater inflater(packed);
    if (!inflater.is_ready()) return fail(DataError::kNoMemory, "zlib could not start");
    std::string out;
    while (true) {
        const int code = inflater.append(out, kPiece);
        if (out.size() > limit)
            return fail(DataError::kTooLarge,
                        fmt::format("it unpacks to more than {} bytes, half of this machine's "
                                    "memory",
                                    limit));
        if (code == Z_STREAM_END) {
            if (!inflater.has_next_stream()) return out;
            inflater.next_stream();
        } else if (code == Z_BUF_ERROR || (code == Z_OK && inflater.is_at_end())) {
            // Nothing more comes out and nothing more goes in.
            if (inflater.is_at_end() && code == Z_BUF_ERROR)
                return fail(DataError::kTruncated,
                            "the gzip file ends early; copy or download it again");
        } else if (code != Z_OK) {
            return fail(DataError::kCorrupt, "the gzip file is damaged; copy or download it again");
        }
    }
}

Result<std::string> read_data_file(const std::filesystem::path& path) {
    auto bytes = read_file(path, most_memory());
    if (!bytes && bytes.error().is(FileError::kTooLarge))
        return fail(DataError::kTooLarge, bytes.error().message());
    if (!bytes)
        return fail(DataError::kMissing,
                    fmt::format("cannot read '{}' ({})", path.string(), bytes.error().message()));
    if (!bytes->starts_with(kGzip)) return bytes;
    auto unpacked = gunzip(*bytes, most_memory());
    if (!unpacked) return fail(unpacked.error().within(path.string()));
    return unpacked;
}

std::string first_bytes(const std::filesystem::path& path, std::size_t count) {
    std::ifstream file(path, std::ios::binary);
    std::string head(count, '\0');
    file.read(head.data(), static_cast<std::streamsize>(count));
    head.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
    if (!head.starts_with(kGzip)) return head;
    Inflater inflater(head);
    std::string out;
    if (inflater.is_ready()) inflater.append(out, count);
    return out;
}

Status check_memory(std::uint64_t bytes, std::string_view what, std::string_view advice) {
    if (bytes <= most_memory()) return {};
    return fail(DataError::kTooLarge,
                fmt::format("{} would take {}B of memory, more than half of this machine's; {}",
                            what, human_count(static_cast<double>(bytes)), advice));
}

std::string shown_name(std::string_view name, std::size_t longest) {
    constexpr std::size_t kEllipsis = 3;  // bytes
    return printable(name, name.size() <= longest ? longest : longest - kEllipsis);
}

}  // namespace esper::tolaria
