#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "esper/services/urza/urza_error.h"

namespace esper::urza {

/// Files by the SHA-256 of their content: `<folder>/ab/abcd…`.
class Artifacts {
  public:
    explicit Artifacts(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// Writes the file unless it is there; it is on the disk afterwards. Returns its digest.
    /// Errors: kDiskFull, kReadOnly.
    Result<std::string> put(std::string_view content) const;
    /// Errors: kNoObject; kBadObject when the content is not what the name says.
    Result<std::string> get(std::string_view digest) const;
    /// Removes the files that nobody keeps and that are older than an hour (a younger one may
    /// belong to a row that is just being written).
    struct Removed {
        std::uint64_t files = 0, bytes = 0;
        std::uint64_t young = 0;  ///< files that would have gone, had they been older
    };
    Removed remove_unless(const std::function<bool(const std::string& digest)>& keep) const;

  private:
    std::filesystem::path path_of(std::string_view digest) const;
    std::filesystem::path folder_;
};

}  // namespace esper::urza
