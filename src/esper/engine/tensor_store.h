#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// The parameters of the host or of one seed in one flat float32 buffer, with a gradient buffer of
/// the same layout. Each parameter starts at a multiple of 16 elements; the padding is zero.
struct TensorBlock {
    struct Entry {
        std::string name;
        std::int64_t offset = 0;
        std::int64_t numel = 0;
        at::Tensor value;     ///< a view of `flat`; channels-last strides if the store has those
        at::Tensor gradient;  ///< a view of `grad` with the same strides
        bool trainable = true;
    };
    std::string name;
    at::Tensor flat;  ///< f32 [total]
    at::Tensor grad;  ///< f32 [total], zero where no gradient was computed
    std::vector<Entry> entries;
};

/// The tensors of a Program's parameters, buffers and controls, by name. A new seed adds a block;
/// the existing tensors stay as they are.
class TensorStore {
  public:
    struct Options {
        std::uint64_t seed = 0;
        bool channels_last = false;  ///< memory order of rank-4 parameters
    };
    explicit TensorStore(Options options) : options_(options) {}

    /// Adds and initialises the tensors that `program` declares and the store lacks. The new
    /// parameters become one block with the name `block`. A parameter's values are drawn from
    /// RandomStream(seed, "init:<name>"), so they depend only on seed and name. With a `prefix`,
    /// other names are ignored. Error: kShapeMismatch when a name exists with another type.
    Status add(const Program& program, std::string_view block, std::string_view prefix = "");
    /// Removes a block and the buffers and controls whose names start with `prefix`.
    void remove(std::string_view block, std::string_view prefix);
    /// Removes only the control with this name; the prefix `alpha.s1` would match `alpha.s10`, too.
    void remove_control(std::string_view name);

    /// Error of this and the following look-ups: kUnknownName.
    Result<at::Tensor> find(std::string_view name) const;
    Status set_control(std::string_view name, double value);

    const std::vector<std::shared_ptr<TensorBlock>>& blocks() const { return blocks_; }
    std::shared_ptr<TensorBlock> find_block(std::string_view name) const;
    const TensorBlock::Entry* find_parameter(std::string_view name) const;
    const std::map<std::string, at::Tensor, std::less<>>& buffers() const { return buffers_; }
    const std::map<std::string, at::Tensor, std::less<>>& controls() const { return controls_; }
    const Options& options() const { return options_; }

    /// A deep copy.
    TensorStore clone() const;
    /// Copies values (parameters, buffers, controls) of equal names from another store.
    /// Errors: kUnknownName when this store has a name the other lacks, kShapeMismatch.
    Status copy_from(const TensorStore& other);

  private:
    Options options_;
    std::vector<std::shared_ptr<TensorBlock>> blocks_;
    std::map<std::string, at::Tensor, std::less<>> buffers_;
    std::map<std::string, at::Tensor, std::less<>> controls_;
};

}  // namespace esper::graph
