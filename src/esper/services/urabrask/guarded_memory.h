#pragma once

namespace esper::urabrask {

/// While it lives, every tensor that libtorch makes on the CPU ends where an inaccessible page
/// begins: a kernel that reads or writes past the end of what it was given dies of a signal. Its
/// beginning may then lie at any multiple of 4 bytes. For the process in which a kernel is tried;
/// tensors may outlive it. One at a time.
class GuardedMemory {
  public:
    GuardedMemory();
    ~GuardedMemory();
    GuardedMemory(const GuardedMemory&) = delete;
    GuardedMemory& operator=(const GuardedMemory&) = delete;
};

}  // namespace esper::urabrask
