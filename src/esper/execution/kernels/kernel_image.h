#pragma once

#include <string_view>
#include <utility>

#include "esper/execution/kernels/kernel_error.h"

namespace esper::execution {

/// A file descriptor that the destructor closes.
class OwnedFd {
  public:
    OwnedFd() = default;
    explicit OwnedFd(int fd) : fd_(fd) {}
    OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    OwnedFd& operator=(OwnedFd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~OwnedFd();
    int get() const { return fd_; }

  private:
    int fd_ = -1;
};

/// Copies a shared object into a sealed memfd, which no process can change. So the bytes that are
/// mapped later are the bytes that were verified.
Result<OwnedFd> seal_image(std::string_view object);

}  // namespace esper::execution
