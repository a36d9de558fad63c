#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace esper::utils {

inline constexpr std::string_view kMask = "***";

/// Whether a field of that name holds a secret: it contains `secret`, `password`, `passwd`,
/// `credential`, `authorization`, `api_key`, `access_key`, `private_key`, or ends in `token`.
bool is_secret_name(std::string_view name);

/// Masks secrets in text. Thread-safe.
class Scrubber {
  public:
    /// Masks this text wherever it appears from now on. A text shorter than 4 bytes is ignored,
    /// because it would occur in most lines.
    void add_secret(std::string secret);

    /// Masks registered secrets, AWS access key ids, JSON web tokens, passwords in URLs, and the
    /// values after `Bearer `, `password=`, `secret=`, `token=`, `X-Amz-Signature=` and the like.
    std::string scrub(std::string_view text) const;

  private:
    mutable std::mutex mutex_;
    std::vector<std::string> secrets_;
};

}  // namespace esper::utils
