#pragma once

#include <cstdint>

namespace esper::execution {

/// A point in a run: optimizer steps and epochs done.
struct Moment {
    std::int64_t step = 0;
    std::uint32_t epoch = 0;
};

}  // namespace esper::execution
