#pragma once

#include <unistd.h>

#include <utility>

namespace esper {

/// Closes a file descriptor at its end; none if it is negative.
class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int get() const { return fd_; }
    /// Closes it now. The result is close's own, which counts where data could be lost.
    int close() { return ::close(std::exchange(fd_, -1)); }

  private:
    int fd_;
};

}  // namespace esper
