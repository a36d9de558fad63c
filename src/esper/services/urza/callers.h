#pragma once

#include <atomic>
#include <cstdint>
#include <tl/expected.hpp>

#include "esper/services/serving/response.h"
#include "esper/services/urza/tokens.h"
#include "esper/services/urza/web_tokens.h"

namespace esper::urza {

/// Who may ask the server: callers with a token of the library's file, and callers whom an issuer
/// vouches for, where there is one. Thread-safe. Both must outlive it.
class Callers {
  public:
    explicit Callers(Tokens& own, WebTokens* issued = nullptr) : own_(own), issued_(issued) {}

    /// The caller, or the problem: 401 for who is not known, 403 for one of a lesser role, 503
    /// where the issuer's keys cannot be read. A refusal is a warning in the log.
    tl::expected<Caller, serving::Response> allow(const serving::Request& request,
                                                  contracts::AccessRole least);
    /// Refusals with 401 and with 403 so far.
    std::uint64_t unknown() const { return unknown_; }
    std::uint64_t forbidden() const { return forbidden_; }

  private:
    Result<Caller> find(std::string_view token);
    tl::unexpected<serving::Response> refuse(const serving::Request& request,
                                             serving::Response response, std::string_view why);
    Tokens& own_;
    WebTokens* const issued_;
    std::atomic<std::uint64_t> unknown_ = 0, forbidden_ = 0;
};

}  // namespace esper::urza
