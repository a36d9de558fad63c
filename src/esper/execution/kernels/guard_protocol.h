#pragma once
// The messages between KernelGuard and its worker process: fixed-size records over a socket. Both
// sides are built together, so there is one version. The worker's answers are not trusted.

#include <cstdint>

#include "esper/kernel_abi.h"

namespace esper::execution::guard {

inline constexpr int kSocketFd = 3;
inline constexpr std::int64_t kPage = 4096;
inline constexpr unsigned char kCanary = 0xa5;

enum class Kind : std::uint32_t { kLoad, kRun };

/// A tensor in the shared file. Its bytes end at the end of its pages (up to 63 bytes of canary),
/// and the worker maps no page after them, so that writing too far faults.
struct Tensor {
    std::int64_t file_offset = 0;
    std::int64_t map_bytes = 0;
    std::int64_t data_offset = 0;
    std::int64_t capacity = 0;
    std::int64_t shape[ESPER_KERNEL_MAX_RANK] = {};
    std::int32_t rank = 0;
    std::int32_t dtype = 0;
};

/// kLoad carries two descriptors: the sealed image and the shared file.
struct Request {
    Kind kind = Kind::kLoad;
    std::uint32_t inputs = 0;
    std::uint32_t outputs = 0;
    std::uint32_t limit_ms = 0;  ///< the worker ends itself after this time
    std::uint64_t layout = 0;    ///< changes when the tensors' places in the file change
    Tensor tensors[2 * ESPER_KERNEL_MAX_TENSORS];
};

enum class Answer : std::int32_t { kDone, kNotLoadable, kMissingSymbol, kAbiMismatch, kNoMemory };

struct Written {
    std::int64_t shape[ESPER_KERNEL_MAX_RANK] = {};
    std::int32_t rank = 0;
    std::int32_t dtype = 0;
};

struct Reply {
    Answer answer = Answer::kDone;
    std::int32_t code = 0;  ///< what the kernel returned
    Written outputs[ESPER_KERNEL_MAX_TENSORS];
    char text[256] = {};
};

}  // namespace esper::execution::guard
