#include "esper/services/urza/remote_client.h"

#include <fmt/format.h>

#include <cctype>
#include <nlohmann/json.hpp>

#include "esper/base/printable_text.h"
#include "esper/base/text.h"
#include "esper/contracts/contract_error.h"
#include "esper/execution/kernels/kernel_error.h"
#include "esper/execution/kernels/trust/trust_error.h"

namespace esper::urza {
namespace {

using nlohmann::json;
using utils::HttpError;
using utils::HttpRequest;
using utils::HttpResponse;

constexpr std::size_t kShown = 300;  // bytes of a server's words

template <typename Enum>
std::optional<Error> named(std::string_view name, const std::string& message) {
    for (const Enum code : esper_all_errors(Enum{}))
        if (name == fmt::format("{}.{}", esper_error_room(code), esper_error_name(code)))
            return fail(code, message).value();
    return std::nullopt;
}

std::optional<Error> error_named(std::string_view name, const std::string& message) {
    if (auto error = named<UrzaError>(name, message)) return error;
    if (auto error = named<contracts::ContractError>(name, message)) return error;
    if (auto error = named<execution::TrustError>(name, message)) return error;
    return named<execution::KernelError>(name, message);
}

Error refusal_of(const HttpResponse& response, const std::string& base) {
    const json problem = json::parse(
        response.body, [](int depth, auto, json&) { return depth < 8; }, false);
    const auto text_of = [&](const char* name) -> std::string {
        const auto found = problem.is_object() ? problem.find(name) : problem.end();
        return found != problem.end() && found->is_string() ? found->get<std::string>() : "";
    };
    const std::string detail = printable(text_of("detail"), kShown);
    if (response.status == 401)
        return fail(UrzaError::kDenied,
                    fmt::format("{} does not know this token: {}; ask whoever runs it for one "
                                "(esper token add)",
                                base, detail))
            .value();
    if (auto error = error_named(text_of("error"), detail)) return *error;
    if (response.status == 403)
        return fail(UrzaError::kDenied, fmt::format("{}: {}", base, detail)).value();
    if (response.status == 429 || response.status >= 500)
        return fail(UrzaError::kUnreachable,
                    fmt::format("{} cannot answer now: {} {}", base, response.status, detail))
            .value();
    return fail(UrzaError::kBadAnswer,
                fmt::format("{} answered {} where a library was expected ({}); is it esper urza "
                            "serve, and of this version?",
                            base, response.status,
                            detail.empty() ? printable(response.body, kShown) : detail))
        .value();
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '~')
            out += c;
        else
            out += fmt::format("%{:02X}", byte);
    }
    return out;
}

RemoteClient::RemoteClient(ServerAddress address, const Patience& patience,
                           std::function<bool()> give_up)
    : address_(std::move(address)),
      patience_(patience),
      give_up_(std::move(give_up)),
      http_({.connect_timeout = patience.connect,
             .timeout = patience.answer,
             .stall_timeout = patience.answer,
             .retries = 1,
             .max_body = kMostAnswer,
             .ca_file = address_.ca_file,
             // A proxy would be shown the token.
             .use_proxy = !address_.base.starts_with("http://")}) {}

Result<std::string> RemoteClient::send(HttpRequest request, bool* repeated) {
    request.url = address_.base + request.url;
    request.headers.emplace_back("Authorization", "Bearer " + address_.token);
    request.give_up = give_up_;
    auto response = http_.send(request);
    if (repeated != nullptr) *repeated = response && response->attempts > 1;
    if (!response) {
        const Error& error = response.error();
        if (error.is(HttpError::kTooLarge))
            return fail(UrzaError::kBadAnswer, error.message() + "; it is not read on");
        if (error.is(HttpError::kTls)) return fail(error);
        return fail(UrzaError::kUnreachable, "the library gives no answer: " + error.message());
    }
    if (!response->ok()) return fail(refusal_of(*response, address_.base));
    return std::move(response->body);
}

Result<std::string> RemoteClient::get(const std::string& target) { return send({.url = target}); }

Result<std::string> RemoteClient::get_object(const std::string& target) {
    return send({.url = target, .timeout = patience_.object});
}

Result<std::string> RemoteClient::post(const std::string& target, std::string_view json,
                                       bool* repeated) {
    return send({.method = "POST",
                 .url = target,
                 .headers = {{"Content-Type", "application/json"}},
                 .body = json,
                 .repeatable = repeated != nullptr,
                 .timeout = patience_.object},
                repeated);
}

}  // namespace esper::urza
