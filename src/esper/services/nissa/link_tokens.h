#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "esper/services/serving/response.h"

namespace esper::nissa {

/// What a request wants to do.
enum class Right { kLook, kAct };

/// Who may look at the runs and who may act on one. A token stands in a link, after its `#`, which
/// no browser sends anywhere; the page sends it as `Authorization: Bearer TOKEN` or, for the stream
/// of events, as `?token=TOKEN`. Tokens are random, made with the object, and end with it.
class LinkTokens {
  public:
    struct Options {
        bool actions = false;                       ///< there is a token for actions
        std::optional<std::int64_t> share_ns = {};  ///< looking needs a token, which ends then
        std::int64_t (*now_ns)() = nullptr;         ///< since 1970; null: the system's clock
    };
    /// Everybody may look, nobody may act.
    LinkTokens() : LinkTokens(Options()) {}
    explicit LinkTokens(const Options& options);

    /// A problem (401, or 403 for a token that does not reach so far); nothing where it may.
    std::optional<serving::Response> refuse(const serving::Request& request, Right right) const;
    bool allows_actions() const { return !act_.empty(); }
    bool asks_for_a_token() const { return ends_ns_.has_value(); }

    /// For links; empty where there is none.
    const std::string& for_looking() const { return look_; }
    const std::string& for_actions() const { return act_; }
    std::optional<std::int64_t> ends_ns() const { return ends_ns_; }

  private:
    std::int64_t (*now_ns_)();
    std::string look_, act_;
    std::optional<std::int64_t> ends_ns_;
};

}  // namespace esper::nissa
