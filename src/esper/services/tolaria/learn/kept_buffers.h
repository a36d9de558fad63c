#pragma once

#include <map>
#include <string>

#include "esper/engine/tensor_store.h"

namespace esper::tolaria {

/// A copy of a store's buffers (running statistics, dropout counters) from before a pass, so that a
/// failed pass can be repeated from the same state. Reuses its memory.
class KeptBuffers {
  public:
    void keep(const graph::TensorStore& store);
    /// Buffers that were added or removed since are passed over.
    void put_back(graph::TensorStore& store) const;

  private:
    std::map<std::string, at::Tensor, std::less<>> kept_;
};

/// Restores a store's buffers at the end of its scope, so that a measurement does not change the
/// run.
class BufferGuard {
  public:
    explicit BufferGuard(graph::TensorStore& store) : store_(store) { kept_.keep(store); }
    ~BufferGuard() { kept_.put_back(store_); }
    BufferGuard(const BufferGuard&) = delete;
    BufferGuard& operator=(const BufferGuard&) = delete;

  private:
    graph::TensorStore& store_;
    KeptBuffers kept_;
};

}  // namespace esper::tolaria
