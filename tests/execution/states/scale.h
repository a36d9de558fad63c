#pragma once

#include <cstdint>

namespace esper::testing {

/// How much of a long test to run: all of it when optimised, a share under sanitizers and -O0.
inline constexpr std::uint64_t scaled(std::uint64_t full) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || !defined(NDEBUG)
    return full / 50;
#else
    return full;
#endif
}

}  // namespace esper::testing
