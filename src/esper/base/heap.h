#pragma once

namespace esper {

/// From now on memory that this process frees stays with it and is given out again. A training
/// step allocates the same sizes over and over; given back to the system in between, each of its
/// pages is mapped and cleared anew, which took up to two fifths of a step (docs/engine.md). For
/// processes that train: others should give back what they no longer need. Does nothing where
/// the environment has glibc's own settings (GLIBC_TUNABLES), or without glibc.
void keep_freed_memory();

}  // namespace esper
