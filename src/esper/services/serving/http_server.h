#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "esper/services/serving/access.h"
#include "esper/services/serving/router.h"

namespace esper::serving {

/// What one client may take.
struct Limits {
    std::size_t connections = 512;  ///< at a time; for one more a waiting one goes
    std::size_t streams = 64;       ///< of events, at a time; one more is answered with 503
    std::size_t head = std::size_t{16} << 10;  ///< bytes of a request before its body
    std::chrono::milliseconds head_time{10'000};
    std::chrono::milliseconds body_time{30'000};
    std::chrono::milliseconds idle_time{60'000};   ///< between two requests
    std::chrono::milliseconds write_time{30'000};  ///< of a response, or of one piece of a stream
    std::chrono::milliseconds comment_every{15'000};  ///< in a stream without events
};

struct ServerOptions {
    std::string host = "127.0.0.1";  ///< an address in digits, or `localhost`
    int port = 0;                    ///< 0: any free one
    int threads = 2;
    Access access = {};
    Limits limits = {};
    /// Hears of every request that reached the router, on the thread that answered it. `took` is
    /// the handler's time.
    std::function<void(const Request&, const Response&, std::chrono::nanoseconds took)> answered =
        {};
};

/// An HTTP/1.1 server over a router. Handlers run in its threads. A request has to pass
/// refuse_foreign() first. It takes one request of a connection at a time, refuses a head or a body
/// that is too long, comes too slowly, or whose length is said twice, and closes what is idle.
class HttpServer {
  public:
    /// Listens and answers from now on. Errors: kBadAddress, kPortInUse.
    static Result<std::unique_ptr<HttpServer>> start(std::shared_ptr<const Router> router,
                                                     const ServerOptions& options);
    /// The same as stop().
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    int port() const;
    /// e.g. `http://127.0.0.1:8005`
    std::string address() const;
    /// Accepts no more, ends the streams, lets what is being answered finish (for two seconds at
    /// most) and closes everything. May be called twice.
    void stop();

    class State;

  private:
    explicit HttpServer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace esper::serving
