#pragma once

#include <cstdint>

namespace esper::testing {

/// The length of a long test: all of it in optimised builds, less under sanitizers and at -O0.
inline constexpr std::uint64_t scaled(std::uint64_t full) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || !defined(NDEBUG)
    return full / 50;
#else
    return full;
#endif
}

}  // namespace esper::testing
