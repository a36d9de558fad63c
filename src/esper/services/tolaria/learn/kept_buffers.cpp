#include "esper/services/tolaria/learn/kept_buffers.h"

namespace esper::tolaria {

void KeptBuffers::keep(const graph::TensorStore& store) {
    for (const auto& [name, tensor] : store.buffers()) {
        auto& copy = kept_[name];
        if (copy.defined() && copy.sizes() == tensor.sizes())
            copy.copy_(tensor);
        else
            copy = tensor.clone();
    }
    if (kept_.size() > store.buffers().size())
        std::erase_if(kept_,
                      [&](const auto& item) { return !store.buffers().contains(item.first); });
}

void KeptBuffers::put_back(graph::TensorStore& store) const {
    for (const auto& [name, tensor] : store.buffers())
        if (auto it = kept_.find(name); it != kept_.end()) at::Tensor(tensor).copy_(it->second);
}

}  // namespace esper::tolaria
