#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "esper/engine/op_list.h"

namespace esper::graph {

/// Records every operator that runs on this thread between the constructor and stop() as an OpList.
/// It records below autograd and autocast, so one forward and one backward pass become one flat
/// list of primitive operators.
///
/// Two tensors with the same elements in memory (storage, offset, sizes, strides, type) share one
/// slot, so an alias costs nothing on replay. The recorder keeps every tensor until it is
/// destroyed, because tensors are told apart by their storage. It frees the elements of a tensor
/// that nobody else holds any more: recording needs no more memory than the pass alone.
class Recorder {
  public:
    Recorder();
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    /// Declares a tensor that differs in each run (a batch). Returns its slot.
    std::uint32_t add_input(const at::Tensor& tensor);
    /// Declares a tensor that has the same memory in every run (a parameter, buffer or control).
    /// Views of it need no operator on replay.
    void add_persistent(const at::Tensor& tensor);

    void stop();

    /// The slot of a tensor; nothing if it did not occur while recording.
    std::optional<std::uint32_t> slot_of(const at::Tensor& tensor) const;

    /// The recorded list. Error: kExecution if an operator drew random numbers of its own or read a
    /// value back to C++; its result would be a constant in the list.
    Result<OpList> take();
    /// Slots whose tensor is the same in every run, with their tensors.
    const std::map<std::uint32_t, at::Tensor>& persistent() const { return persistent_; }

    /// The tensor that the slot held while recording. Its sizes, strides and type are valid, its
    /// elements only if it is persistent or a constant (makes_constant).
    const at::Tensor& tensor_of(std::uint32_t slot) const { return tensors_[slot]; }

    /// Called by the dispatcher.
    void record(const c10::OperatorHandle& op, torch::jit::Stack& stack);

  private:
    using Key = std::tuple<const void*, std::int64_t, std::vector<std::int64_t>,
                           std::vector<std::int64_t>, int>;
    static Key key_of(const at::Tensor& tensor);
    std::uint32_t slot_for_argument(const at::Tensor& tensor);
    std::uint32_t slot_for_result(const at::Tensor& tensor, bool keeps_elements);
    bool in_persistent_memory(const at::Tensor& tensor) const;

    std::uint32_t new_slot(const at::Tensor& tensor, bool keeps_elements);
    void free_unheld_elements();

    struct Guards;
    std::unique_ptr<Guards> guards_;
    OpList ops_;
    std::map<Key, std::uint32_t> slots_;
    std::vector<at::Tensor> tensors_;  ///< by slot; share the storages of the recorded ones
    /// A storage whose elements are freed when only tensors_ hold it.
    struct Watched {
        std::uint32_t slot;       ///< one of those that have it
        std::size_t tensors = 0;  ///< of tensors_ have it
    };
    std::unordered_map<const c10::StorageImpl*, Watched> watched_;
    std::size_t calls_since_freeing_ = 0;
    std::map<std::uint32_t, at::Tensor> persistent_;
    std::map<const void*, at::Tensor> persistent_storage_;
    std::optional<Error> error_;
};

}  // namespace esper::graph
