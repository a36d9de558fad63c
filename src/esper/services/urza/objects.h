#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "esper/services/urza/urza_error.h"

namespace esper::urza {

/// Kernels' objects by the SHA-256 of their content. Thread-safe.
class Objects {
  public:
    virtual ~Objects() = default;

    /// Stores the content unless it is there; it is durable afterwards. Returns its digest.
    /// Errors: kDiskFull, kReadOnly, kUnreachable, kTooLarge.
    virtual Result<std::string> put(std::string_view content) = 0;
    /// Errors: kNoObject; kBadObject when the content is not what the name says; kUnreachable.
    virtual Result<std::string> get(std::string_view digest) = 0;
    /// Removes those that nobody keeps and that are older than an hour (a younger one may belong
    /// to a row that is just being written).
    struct Removed {
        std::uint64_t files = 0, bytes = 0;
        std::uint64_t young = 0;  ///< that would have gone, had they been older
    };
    virtual Result<Removed> remove_unless(
        const std::function<bool(const std::string& digest)>& keep) = 0;
    static constexpr std::int64_t kYoungSeconds = 3600;
};

/// Whether the text has the form of a digest. Error: kBadObject.
Status check_digest(std::string_view digest);
/// Whether the content is what its name says. Error: kBadObject. `where` names it.
Status check_object(std::string_view digest, std::string_view content, std::string_view where);
/// The error kNoObject.
tl::unexpected<Error> no_object(std::string_view where);

}  // namespace esper::urza
