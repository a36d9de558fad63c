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

/// Parameters that were born together (the host's, or one seed's), in one flat float32 buffer with
/// a gradient buffer beside it. Each starts at a multiple of 16 elements; padding stays zero.
struct TensorBlock {
    struct Entry {
        std::string name;
        std::int64_t offset = 0;
        std::int64_t numel = 0;
        at::Tensor value;     ///< a view of `flat`; channels-last strides where the store says so
        at::Tensor gradient;  ///< a view of `grad` with the same strides
        bool trainable = true;
    };
    std::string name;
    at::Tensor flat;  ///< f32 [total]
    at::Tensor grad;  ///< f32 [total], zero where nothing was computed
    std::vector<Entry> entries;
};

/// Where a Program's parameters, buffers and controls live, by name. Growing adds a block and
/// touches nothing that was there.
class TensorStore {
  public:
    struct Options {
        std::uint64_t seed = 0;
        bool channels_last = false;  ///< memory order of rank-4 parameters
    };
    explicit TensorStore(Options options) : options_(options) {}

    /// Adds and initialises what `program` declares and the store lacks; the new parameters become
    /// one block called `block`. Values are drawn by name from RandomStream(seed, "init:<name>"),
    /// so they depend on nothing else. Errors: kShapeMismatch when a name exists with another type.
    /// With a `prefix`, only names that start with it are looked at.
    Status add(const Program& program, std::string_view block, std::string_view prefix = "");
    /// Removes a block and the buffers and controls whose names start with `prefix`.
    void remove(std::string_view block, std::string_view prefix);
    /// Just this one: `alpha.s1` is also how `alpha.s10` starts.
    void remove_control(std::string_view name);

    /// Errors of all look-ups: kUnknownName.
    Result<at::Tensor> find(std::string_view name) const;
    Status set_control(std::string_view name, double value);

    const std::vector<std::shared_ptr<TensorBlock>>& blocks() const { return blocks_; }
    std::shared_ptr<TensorBlock> find_block(std::string_view name) const;
    const TensorBlock::Entry* find_parameter(std::string_view name) const;
    const std::map<std::string, at::Tensor, std::less<>>& buffers() const { return buffers_; }
    const std::map<std::string, at::Tensor, std::less<>>& controls() const { return controls_; }
    const Options& options() const { return options_; }

    /// A deep copy: same values, own memory.
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
