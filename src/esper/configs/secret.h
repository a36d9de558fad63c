#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace esper::configs {

/// What stands in a printed configuration where a secret is set.
inline constexpr std::string_view kMasked = "***";

/// A text that is never printed by accident: it converts to nothing, and only `reveal` shows it.
class Secret {
  public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}

    bool empty() const { return value_.empty(); }
    const std::string& reveal() const { return value_; }
    bool operator==(const Secret&) const = default;

  private:
    std::string value_;
};

/// `postgres://user:password@host/db` with the password replaced by `with` (an empty `with` also
/// drops its colon); any other text comes back as it is.
std::string replace_url_password(std::string_view url, std::string_view with);

}  // namespace esper::configs
