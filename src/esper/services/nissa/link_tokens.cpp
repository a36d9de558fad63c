#include "esper/services/nissa/link_tokens.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>

#include "esper/base/clock.h"
#include "esper/services/serving/bearer_token.h"

namespace esper::nissa {

using serving::Request;
using serving::Response;

namespace {

std::string random_token() {
    std::array<unsigned char, 20> bytes{};
    // Such a short request is never cut short (getrandom(2)).
    [[maybe_unused]] const auto got = ::getrandom(bytes.data(), bytes.size(), 0);
    std::string token;
    for (const auto byte : bytes) token += fmt::format("{:02x}", byte);
    return token;
}

// Takes as long for each wrong token.
bool is_same(std::string_view a, std::string_view b) {
    if (a.size() != b.size() || a.empty()) return false;
    unsigned char differs = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        differs |= static_cast<unsigned char>(static_cast<unsigned char>(a[i]) ^
                                              static_cast<unsigned char>(b[i]));
    return differs == 0;
}

std::string_view token_of(const Request& request) {
    if (const auto token = serving::bearer_token(request)) return *token;
    // An action needs the header, which no foreign page can send.
    return request.method == "GET" ? request.asked("token").value_or("") : "";
}

}  // namespace

LinkTokens::LinkTokens(const Options& options)
    : now_ns_(options.now_ns != nullptr ? options.now_ns
                                        : +[] { return system_clock().utc_ns(); }) {
    if (options.actions) act_ = random_token();
    if (options.share_ns) {
        look_ = random_token();
        ends_ns_ = now_ns_() + *options.share_ns;
    }
}

std::optional<Response> LinkTokens::refuse(const Request& request, Right right) const {
    const auto token = token_of(request);
    if (is_same(token, act_)) return std::nullopt;
    const bool is_look = is_same(token, look_);
    const bool is_over = ends_ns_ && now_ns_() >= *ends_ns_;
    if (right == Right::kAct) {
        if (!allows_actions())
            return serving::problem(
                403,
                "this page only shows; 'esper watch --allow-actions' prints a link "
                "that may also act");
        if (is_look) return serving::problem(403, "this link may look and not act");
        return serving::unauthorized(
            "an action needs the token of the link that 'esper watch' printed");
    }
    if (!asks_for_a_token() || (is_look && !is_over)) return std::nullopt;
    if (is_look) return serving::unauthorized("this link was good until " + iso8601(*ends_ns_));
    return serving::unauthorized(
        "expected the token of a shared link; ask who started 'esper watch'");
}

}  // namespace esper::nissa
