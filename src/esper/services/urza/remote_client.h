#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "esper/services/urza/server_address.h"
#include "esper/utils/http_client.h"

namespace esper::urza {

/// How long a library's server may take.
struct Patience {
    std::chrono::milliseconds connect{3'000};
    std::chrono::milliseconds answer{5'000};
    std::chrono::milliseconds object{60'000};  ///< with a kernel's object in it
};

/// Asks a library's server, twice where no answer came in time. An answer is at most kMostAnswer
/// bytes; a redirect is no answer. Errors: kUnreachable; kDenied for a token that may not do it;
/// kBadAnswer for what no such server says; the server's own error, by its name. Thread-safe.
class RemoteClient {
  public:
    static constexpr std::uint64_t kMostAnswer = std::uint64_t{80} << 20;
    /// `give_up` is asked about once a second while an answer is waited for.
    RemoteClient(ServerAddress address, const Patience& patience, std::function<bool()> give_up);

    const std::string& base() const { return address_.base; }
    Result<std::string> get(const std::string& target);
    Result<std::string> get_object(const std::string& target);
    /// `repeated`: the request was sent twice, so the first may have been carried out. Null: it is
    /// sent once only.
    Result<std::string> post(const std::string& target, std::string_view json, bool* repeated);

  private:
    Result<std::string> send(utils::HttpRequest request, bool* repeated = nullptr);
    const ServerAddress address_;
    const Patience patience_;
    const std::function<bool()> give_up_;
    utils::HttpClient http_;
};

/// A text as a segment of a path, or as a value of a query.
std::string escaped(std::string_view text);

}  // namespace esper::urza
