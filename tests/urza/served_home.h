#pragma once

#include <functional>
#include <memory>
#include <string>

#include "esper/services/serving/http_server.h"
#include "esper/services/urza/api.h"
#include "esper/services/urza/remote_library.h"
#include "urza/library_home.h"

namespace esper::testing {

/// A library in a folder behind a server of this process, and a RemoteLibrary that asks it.
class ServedHome final : public LibraryHome {
  public:
    using Change = std::function<serving::Response(const serving::Request&, serving::Response)>;

    explicit ServedHome(contracts::AccessRole role = contracts::AccessRole::kAdmin)
        : library_(value_or_throw(folder_.open())), tokens_(folder_.path() / "tokens") {
        token_ = value_or_throw(tokens_.add({"a test", role}));
        auto honest = std::make_shared<serving::Router>();
        urza::add_api(*honest, *library_, tokens_);
        auto router = std::make_shared<serving::Router>();
        for (const auto& route : honest->routes())
            router->add(
                route.method, route.pattern,
                [this, honest, handler = route.handler](const serving::Request& request) {
                    auto response = handler(request);
                    return change_ ? change_(request, std::move(response)) : response;
                },
                route.most_body);
        server_ = value_or_throw(serving::HttpServer::start(router, {}));
    }

    Result<std::unique_ptr<urza::Library>> open() override {
        ESPER_TRY(auto ring, keys().ring());
        return std::unique_ptr<urza::Library>(std::make_unique<urza::RemoteLibrary>(
            urza::ServerAddress{server_->address(), token_, ""}, std::move(ring), options_));
    }
    execution::KeyFolder keys() const override { return folder_.keys(); }
    void age_objects() override { folder_.age_objects(); }

    /// What the server answers from now on instead of `response`.
    void lie(Change change) { change_ = std::move(change); }
    void set_patience(const urza::Patience& patience) { options_.patience = patience; }
    urza::Library& behind() { return *library_; }
    serving::HttpServer& server() { return *server_; }
    const std::string& token() const { return token_; }

  private:
    FolderHome folder_;
    std::unique_ptr<urza::Library> library_;
    urza::Tokens tokens_;
    std::string token_;
    Change change_;
    urza::RemoteLibrary::Options options_;
    std::unique_ptr<serving::HttpServer> server_;
};

}  // namespace esper::testing
