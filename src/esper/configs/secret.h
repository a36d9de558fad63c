#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace esper::configs {

/// Printed in place of a secret.
inline constexpr std::string_view kMasked = "***";

/// A text that cannot be printed by accident: it has no conversions, and only `reveal` returns it.
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

/// Replaces the password in `postgres://user:password@host/db` by `with`; an empty `with` also
/// removes the colon. Returns any other text unchanged.
std::string replace_url_password(std::string_view url, std::string_view with);

}  // namespace esper::configs
