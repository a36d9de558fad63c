#pragma once

#include <poll.h>

#include <chrono>

#include "utils/tcp.h"

namespace esper::test {

/// What the proxy does to one connection.
struct Fault {
    enum class Kind {
        kNone,
        kResetDown,    ///< RST to the client after `bytes` of the answers
        kTruncate,     ///< clean close after `bytes` of the answers
        kResetUp,      ///< RST to the client after `bytes` of its requests
        kUnavailable,  ///< 503 SlowDown instead of an answer
        kSlow,         ///< answers in small pieces with pauses
    };
    Kind kind = Kind::kNone;
    std::size_t bytes = 0;
};

/// Forwards connections to a local port; `plan` returns the fault of the n-th connection.
class FaultProxy {
  public:
    FaultProxy(int upstream, std::function<Fault(int)> plan)
        : upstream_(upstream), plan_(std::move(plan)), server_([this](Connection& c) {
              const Fault fault = plan_(count_++);
              if (fault.kind == Fault::Kind::kUnavailable) return refuse(c);
              const int fd = connect_to(upstream_);
              if (fd < 0) return;
              Connection server(fd);
              pump(c, server, fault);
          }) {}

    std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }
    int connections() const { return count_.load(); }

  private:
    static void refuse(Connection& c) {
        read_request(c);
        c.write(answer(503, "<Error><Code>SlowDown</Code><Message>later</Message></Error>",
                       "Connection: close\r\n"));
    }

    static void pump(Connection& client, Connection& server, const Fault& fault) {
        std::size_t up = 0;
        std::size_t down = 0;
        for (;;) {
            pollfd fds[2] = {{client.fd(), POLLIN, 0}, {server.fd(), POLLIN, 0}};
            if (::poll(fds, 2, 10'000) <= 0) return;
            if (fds[0].revents != 0) {
                const std::string data = client.read_some();
                up += data.size();
                if (fault.kind == Fault::Kind::kResetUp && up > fault.bytes) return client.reset();
                if (data.empty() || !server.write(data)) return;
            }
            if (fds[1].revents != 0) {
                std::string data = server.read_some();
                const bool breaks =
                    fault.kind == Fault::Kind::kResetDown || fault.kind == Fault::Kind::kTruncate;
                if (breaks && down + data.size() > fault.bytes) {
                    client.write(std::string_view(data).substr(0, fault.bytes - down));
                    if (fault.kind == Fault::Kind::kResetDown) client.reset();
                    return;
                }
                down += data.size();
                if (data.empty()) return;
                if (fault.kind == Fault::Kind::kSlow) {
                    if (!trickle(client, data)) return;
                } else if (!client.write(data)) {
                    return;
                }
            }
        }
    }

    static bool trickle(Connection& client, std::string_view data) {
        while (!data.empty()) {
            const std::size_t n = std::min<std::size_t>(data.size(), 4096);
            if (!client.write(data.substr(0, n))) return false;
            data.remove_prefix(n);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return true;
    }

    int upstream_;
    std::function<Fault(int)> plan_;
    std::atomic<int> count_{0};
    TcpServer server_;
};

}  // namespace esper::test
