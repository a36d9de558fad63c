#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace esper::execution {

// What a KernelGuard and the process that makes its call say to each other. Their memory begins
// with a GuardedCall, then come its pieces' places, then the pieces themselves.

/// One input or result of a kernel.
struct GuardedPiece {
    std::int64_t begin = 0;  ///< of its pages, in the shared memory
    std::int64_t pages = 0;  ///< bytes; 0: a null pointer
    std::int64_t lead = 0;   ///< bytes before the piece in its pages
    std::int64_t bytes = 0;
    bool writable = false;
};

struct GuardedCall {
    std::uint64_t rounding = 0;  ///< of float_control()
    std::int64_t offset = 0;     ///< of the function, from the kernel's beginning in memory
    std::int64_t rows = 0;
    double alpha = 0, beta = 0;
    // After x, gradient, y, dx and the workspace come so many pieces of each kind.
    std::int32_t parameters = 0, gradients = 0, saved = 0;
    /// -1: the call is made without an array of these
    std::int32_t pieces() const {
        return 5 + parameters + (gradients < 0 ? 0 : gradients) + (saved < 0 ? 0 : saved);
    }
};

inline constexpr int kObjectFile = 3;  ///< the kernel's object
inline constexpr int kMemoryFile = 4;

// What the process prints. All that it prints before kReady says nothing about the kernel.
inline constexpr char kReady = '>';
inline constexpr const char* kWroteInput = "input";

// Where it runs another program: its first argument, and what is added to the signal that ended
// that program, to be the exit code.
inline constexpr const char* kRun = "run";
inline constexpr int kSignalled = 128;

/// How this thread rounds, and whether it flushes denormal numbers: a kernel must do the same.
inline std::uint64_t float_control() {
#if defined(__x86_64__)
    return _mm_getcsr();
#elif defined(__aarch64__)
    return __builtin_aarch64_get_fpcr();
#else
    return 0;
#endif
}
inline void set_float_control(std::uint64_t control) {
#if defined(__x86_64__)
    _mm_setcsr(static_cast<unsigned>(control));
#elif defined(__aarch64__)
    __builtin_aarch64_set_fpcr(static_cast<unsigned>(control));
#else
    (void)control;
#endif
}

}  // namespace esper::execution
