#include "esper/services/nissa/nissa.h"

#include <optional>

#include "esper/services/nissa/routes.h"
#include "esper/services/nissa/watcher.h"
#include "esper/services/serving/health.h"
#include "esper/services/serving/http_server.h"
#include "esper/services/urza/library.h"

namespace esper::nissa {

struct Nissa::Parts {
    std::shared_ptr<RunIndex> index;
    std::shared_ptr<serving::EventChannel> events = serving::EventChannel::create();
    std::shared_ptr<Watcher> watcher;
    std::shared_ptr<const LinkTokens> tokens;
    std::unique_ptr<serving::HttpServer> server;
};

Nissa::Nissa() : parts_(std::make_unique<Parts>()) {}
Nissa::~Nissa() {
    if (parts_->server) parts_->server->stop();
}

std::string Nissa::address() const { return parts_->server->address(); }
const LinkTokens& Nissa::tokens() const { return *parts_->tokens; }

Result<std::unique_ptr<Nissa>> Nissa::start(const NissaOptions& options) {
    for (const auto& folder : options.runs) {
        std::error_code ignored;
        if (!std::filesystem::is_directory(folder, ignored))
            return fail(NissaError::kNoFolder,
                        folder.string() +
                            " is no folder; name a run's folder, or one with runs "
                            "in it ('esper train' makes runs/)");
    }
    std::unique_ptr<Nissa> nissa(new Nissa());
    auto& parts = *nissa->parts_;
    parts.index = std::make_shared<RunIndex>(options.runs);
    parts.watcher = std::make_shared<Watcher>(parts.index, parts.events);
    auto router = std::make_shared<serving::Router>();
    add_page(*router);
    parts.tokens = std::make_shared<LinkTokens>(options.links);
    const auto shelf = std::make_shared<const KernelShelf>(
        options.library.empty() ? std::filesystem::path(urza::default_library_path())
                                : options.library);
    add_routes(*router, parts.index, parts.events, parts.tokens, shelf);
    serving::add_health(*router, "nissa", [watcher = parts.watcher] {
        return watcher->is_ready() ? std::vector<std::string>{}
                                   : std::vector<std::string>{"the first look at the runs"};
    });
    ESPER_TRY(parts.server, serving::HttpServer::start(router, {.host = options.host,
                                                                .port = options.port,
                                                                .threads = 3,
                                                                .access = {options.names},
                                                                .limits = {}}));
    return nissa;
}

}  // namespace esper::nissa
