#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "esper/engine/tensor_store.h"
#include "esper/services/tolaria/learn/optimizer.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

/// A checkpoint's tensors, by name.
using Tensors = std::map<std::string, at::Tensor>;

/// What is saved of a learner beside its tensors.
struct SavedLearner {
    std::string program;              ///< in text form
    std::vector<std::string> blocks;  ///< in the store's order, so that sums over them round alike
    std::map<std::string, std::int64_t> optimizer_steps;  ///< by block
    /// Engine::counted(); version 1 had none.
    std::optional<std::vector<std::string>> recorded = {};

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("program", self.program);
        visit("blocks", self.blocks);
        visit("optimizer_steps", self.optimizer_steps);
        visit("recorded", self.recorded);
    }
};

/// Where in its run a learner was saved: what any checkpoint of a run, of any version, begins with.
struct SavedPosition {
    std::int64_t step = 0;
    std::string program_sha256;
    SavedLearner learner;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("step", self.step);
        visit("program_sha256", self.program_sha256);
        SavedLearner::fields(self.learner, visit);
    }
};

/// Names of a learner's tensors in a checkpoint: `<prefix>block.<name>`, `buffer.`, `control.`, and
/// the optimizer's `first.` and `second.` by block.
void save_tensors(const graph::TensorStore& store, const Optimizer& optimizer,
                  const std::string& prefix, Tensors& tensors);

/// A store with the blocks, buffers and controls of `program`, as they were saved. A block other
/// than `host` holds the parameters whose names start with its own; the host's are the rest.
/// Errors: kBadCheckpoint where a tensor is missing or of another size.
Result<graph::TensorStore> restore_store(const graph::TensorStore::Options& options,
                                         const graph::Program& program,
                                         const std::vector<std::string>& blocks,
                                         const std::string& prefix, const Tensors& tensors);

std::map<std::string, Optimizer::BlockState> restore_optimizer(const SavedLearner& saved,
                                                               const std::string& prefix,
                                                               const Tensors& tensors);

}  // namespace esper::tolaria
