#pragma once

#include <map>
#include <string>

#include "esper/engine/tensor_store.h"

namespace esper::tolaria {

/// A copy of a store's buffers (running statistics, dropout counters) from before a pass, so that a
/// pass that failed can be done again as if it had never been. Its memory is reused.
class BufferKeeper {
  public:
    void keep(const graph::TensorStore& store);
    /// Buffers that have gone since are passed over.
    void put_back(graph::TensorStore& store) const;

  private:
    std::map<std::string, at::Tensor, std::less<>> kept_;
};

}  // namespace esper::tolaria
