#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "esper/exchange/importers/import_error.h"
#include "esper/program/types.h"

namespace esper::graph {

/// Reads a ZIP archive whose members are stored without compression, as PyTorch writes them. The
/// members are slices of the archive's bytes; nothing is copied. Supports ZIP64. Refuses
/// encryption, compression, duplicate names, and members that overlap or lie outside of the file.
class ZipArchive {
  public:
    struct Member {
        std::uint64_t offset = 0;  ///< offset of its bytes in the archive
        std::uint64_t size = 0;
        std::uint32_t crc32 = 0;
    };

    /// `bytes` must outlive the archive. Errors: kMalformed, kTooLarge, kUnsupported.
    static Result<ZipArchive> open(std::string_view bytes);

    const std::map<std::string, Member, std::less<>>& members() const { return members_; }
    const Member* find(std::string_view name) const;

    /// Checks a member's CRC and returns its bytes. Errors: kUnknownName, kHashMismatch.
    Result<std::string_view> read(std::string_view name) const;
    /// Errors: kHashMismatch.
    Status check(std::string_view name, const Member& member) const;

  private:
    explicit ZipArchive(std::string_view bytes) : bytes_(bytes) {}
    std::string_view bytes_;
    std::map<std::string, Member, std::less<>> members_;
};

}  // namespace esper::graph
