#pragma once

namespace esper::execution {

/// The program of guard/ as an open file in memory, made once; -1 where it cannot be had.
int guard_image();

}  // namespace esper::execution
