#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>

#include "esper/base/text.h"
#include "esper/cli/command_log.h"
#include "esper/cli/commands.h"
#include "esper/cli/library_text.h"
#include "esper/cli/print.h"
#include "esper/cli/signals.h"
#include "esper/cli/urza_work.h"
#include "esper/configs/load.h"
#include "esper/services/serving/http_server.h"
#include "esper/services/urza/api.h"
#include "esper/services/urza/catalogue.h"
#include "esper/services/urza/server_address.h"

namespace esper::cli {

namespace {

struct ServeArguments {
    std::string folder, objects;
    serving::ServerOptions server{.port = 8000};
    urza::WebTokens::Options issuer;    ///< used where `keys` is set
    std::vector<std::string> settings;  ///< logging.*
};

Result<CommandLog> open_log(const std::vector<std::string>& settings) {
    for (const auto& word : settings)
        if (!word.starts_with("logging."))
            return fail(configs::ConfigError::kUnknownKey,
                        word +
                            ": a server takes logging.level, logging.format, logging.file and "
                            "logging.rate_limit; its other settings are options");
    ESPER_TRY(const auto config, configs::load_config({.overrides = settings}));
    return CommandLog::open(config.logging);
}

/// W3C Trace Context: 00-<32 hex digits>-<16>-<2>.
utils::TraceId trace_of(const serving::Request& request) {
    const auto parts = split(std::string(request.header("traceparent")), '-');
    return (parts.size() == 4 ? utils::TraceId::parse(parts[1]) : std::nullopt)
        .value_or(utils::TraceId{});
}

void log_answer(const serving::Request& request, const serving::Response& response,
                std::chrono::nanoseconds took) {
    const utils::TraceScope trace(trace_of(request));
    ESPER_LOG_INFO("answered", utils::kv("method", request.method), utils::kv("path", request.path),
                   utils::kv("status", response.status),
                   utils::kv("ms", std::chrono::duration<double, std::milli>(took).count()));
}

/// Null where no issuer was named.
Result<std::unique_ptr<urza::WebTokens>> open_issuer(const urza::WebTokens::Options& options) {
    if (options.keys.empty()) return std::unique_ptr<urza::WebTokens>();
    ESPER_TRY(auto issued, urza::WebTokens::open(options));
    for (const auto& reason : issued->unused())
        std::fprintf(stderr, "esper: no token is taken of the key %s\n", reason.c_str());
    return issued;
}

/// Serves until SIGINT or SIGTERM. Which of them it was.
Result<int> serve(ServeArguments& a) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    // Before any thread begins, so that all of them leave these signals to sigwait().
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    ESPER_TRY(const auto log, open_log(a.settings));
    a.server.answered = log_answer;
    ESPER_TRY(const auto issued, open_issuer(a.issuer));
    const std::string address = a.folder.empty() ? urza::default_library_path() : a.folder;
    ESPER_CHECK_STATUS(urza::refuse_server(address, "esper urza serve"));
    ESPER_TRY(const auto library, urza::open_library(address, a.objects));
    const auto added = urza::add_catalogue(*library);
    if (!added && !added.error().is(urza::UrzaError::kReadOnly)) return fail(added.error());
    urza::Tokens tokens(urza::local_folder(address) / "tokens");
    ESPER_CHECK_STATUS(tokens.all());
    const auto router = std::make_shared<serving::Router>();
    urza::add_api(*router, *library, tokens, issued.get());
    ESPER_TRY(const auto server, serving::HttpServer::start(router, a.server));
    std::printf("%s\n", server->address().c_str());
    std::fflush(stdout);
    std::fprintf(stderr, "the library %s is served; Ctrl-C ends it\n",
                 urza::shown_address(address).c_str());
    int signal = 0;
    sigwait(&ends, &signal);
    server->stop();
    return signal;
}

}  // namespace

void add_urza(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<ServeArguments>();
    auto* urza = app.add_subcommand("urza", "the library of blueprints and kernels as a server");
    urza->require_subcommand(1);
    auto* command = urza->add_subcommand("serve", "answer HTTP under /api/v1 (see /openapi.json)");
    add_urza_work(*urza, exit_code);
    add_library_options(*command, a->folder, a->objects);
    command->add_option("--host", a->server.host,
                        "where to listen (default: 127.0.0.1, which only this machine reaches)");
    command->add_option("--port", a->server.port, "0: any free one (default: 8000)");
    command->add_option("--name", a->server.access.names,
                        "a name of this machine under which clients may ask");
    command->add_option("--threads", a->server.threads, "that answer (default: 2)")
        ->check(CLI::Range(1, 256));
    auto* keys = command->add_option(
        "--jwks", a->issuer.keys,
        "take the tokens (JWT) of an issuer: its public keys, a JSON Web Key Set");
    auto* issuer = command->add_option("--issuer", a->issuer.rules.issuer, "their iss");
    auto* audience = command->add_option("--audience", a->issuer.rules.audience, "their aud");
    auto* claim = command->add_option("--role-claim", a->issuer.role_claim,
                                      "their claim with the role (default: role)");
    keys->needs(issuer)->needs(audience);
    for (auto* option : {issuer, audience, claim}) option->needs(keys);
    command->add_option("settings", a->settings,
                        "logging.file=FILE (or -), logging.level=…, logging.format=json");
    command->callback([a, &exit_code] {
        const auto ended_by = serve(*a);
        exit_code = !ended_by             ? report_error(ended_by.error())
                    : *ended_by == SIGINT ? kInterrupted
                                          : 0;
    });
}

}  // namespace esper::cli
