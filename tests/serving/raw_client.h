#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace esper::serving {

/// A client that sends any bytes and reads what comes back.
class RawClient {
  public:
    explicit RawClient(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        is_connected_ =
            ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    RawClient(RawClient&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), is_connected_(other.is_connected_) {}
    RawClient& operator=(RawClient&&) = delete;
    ~RawClient() {
        if (fd_ >= 0) ::close(fd_);
    }

    bool is_connected() const { return is_connected_; }

    /// False when the server has closed the connection.
    bool send(std::string_view text) const {
        while (!text.empty()) {
            const auto sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    /// What comes until the server closes, or until `stop` was seen, or for so long.
    std::string read(std::string_view stop = "",
                     std::chrono::milliseconds most = std::chrono::seconds(10)) {
        const auto end = std::chrono::steady_clock::now() + most;
        while (stop.empty() || kept_.find(stop) == std::string::npos) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                end - std::chrono::steady_clock::now());
            pollfd wait{fd_, POLLIN, 0};
            if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) break;
            std::array<char, 4096> buffer{};
            const auto got = ::recv(fd_, buffer.data(), buffer.size(), 0);
            if (got <= 0) {
                was_closed_ = true;
                break;
            }
            kept_.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return std::exchange(kept_, "");
    }
    bool was_closed() const { return was_closed_; }

  private:
    int fd_;
    bool is_connected_ = false;
    bool was_closed_ = false;
    std::string kept_;
};

}  // namespace esper::serving
