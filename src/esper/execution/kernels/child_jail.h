#pragma once

#include <cstdint>

namespace esper::execution {

// What a child process takes from itself before it runs what is not to be trusted. Nothing here
// allocates or throws, so that a child may call it between fork and exec, and the program in
// guard/ needs no library but libc for it.

/// What a child may use. 0: no limit.
struct ChildBounds {
    std::int64_t cpu_seconds = 0;
    std::int64_t memory_bytes = 0;  ///< of address space
    std::int64_t file_bytes = 0;
};

/// Whether this process, and so each child of it, runs only where no other wants the processor.
bool is_background();

/// No files but those below `directory` and the system's libraries (Landlock), no sockets, no
/// tracing (seccomp). False where the system cannot do that.
bool enter_jail(const char* directory);

/// Leaves the terminal, sets the bounds, moves to `directory` and enters the jail if `jailed`. Ends
/// with the process that started it. Where that fails the process ends with 126 or 125.
void restrict_child(const char* directory, const ChildBounds& bounds, bool jailed);

}  // namespace esper::execution
