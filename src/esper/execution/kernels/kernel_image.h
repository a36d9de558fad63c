#pragma once

#include <string_view>
#include <utility>

#include "esper/execution/kernels/kernel_error.h"

namespace esper::execution {

/// A file descriptor that is closed with its owner.
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

/// Puts a shared object into memory that no process can change any more (a sealed memfd), so that
/// the bytes that were verified are the bytes that are mapped.
Result<OwnedFd> seal_image(std::string_view object);

}  // namespace esper::execution
