#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "esper/engine/op_list.h"

namespace esper::graph {

/// Records every operator that runs on this thread between its constructor and stop(), below
/// autograd and autocast, as an OpList: run a forward and a backward pass once and get both as one
/// flat list of primitive operators.
///
/// Tensors are told apart by where their elements lie (storage, offset, sizes, strides, type), so
/// an alias is the tensor it aliases and costs nothing on replay. Everything seen is kept alive
/// until the recorder goes, or addresses would be reused and edges go wrong.
class Recorder {
  public:
    Recorder();
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    /// Declares a tensor that changes from run to run (a batch); returns its slot.
    std::uint32_t add_input(const at::Tensor& tensor);
    /// Declares a tensor whose memory stays (a parameter, buffer, control): views of it need no
    /// operator on replay.
    void add_persistent(const at::Tensor& tensor);

    void stop();

    /// The slot of a tensor seen while recording; nothing if it was never seen.
    std::optional<std::uint32_t> slot_of(const at::Tensor& tensor) const;

    /// What was recorded. Errors: kExecution for an operator that draws random numbers on its own
    /// or reads a value back to the host (its result would be frozen into the list).
    Result<OpList> take();
    /// Slots whose tensor is the same in every run, with that tensor.
    const std::map<std::uint32_t, at::Tensor>& persistent() const { return persistent_; }

    /// The tensor seen in a slot while recording.
    const at::Tensor& tensor_of(std::uint32_t slot) const { return alive_[slot]; }

    /// Called by the dispatcher.
    void record(const c10::OperatorHandle& op, torch::jit::Stack& stack);

  private:
    using Key = std::tuple<const void*, std::int64_t, std::vector<std::int64_t>,
                           std::vector<std::int64_t>, int>;
    static Key key_of(const at::Tensor& tensor);
    std::uint32_t slot_for_argument(const at::Tensor& tensor);
    std::uint32_t slot_for_result(const at::Tensor& tensor);
    bool in_persistent_memory(const at::Tensor& tensor) const;

    struct Guards;
    std::unique_ptr<Guards> guards_;
    OpList ops_;
    std::map<Key, std::uint32_t> slots_;
    std::vector<at::Tensor> alive_;
    std::map<std::uint32_t, at::Tensor> persistent_;
    std::map<const void*, at::Tensor> persistent_storage_;
    std::optional<Error> error_;
};

}  // namespace esper::graph
