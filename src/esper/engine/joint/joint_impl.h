#pragma once

#include "esper/engine/joint/joint_program.h"
#include "esper/engine/memory/memory_plan.h"
#include "esper/engine/rewrites/rewrites.h"
#include "esper/engine/seed_kernels.h"

namespace esper::graph {

struct JointProgram::Impl {
    /// Stores a run's inputs in the slots that the list reads. Errors: kShapeMismatch.
    Status place(std::span<const at::Tensor> inputs);

    ProgramPtr program;
    OpList ops;
    std::vector<c10::IValue> slots;
    std::vector<std::uint32_t> input_slots;
    std::vector<at::Tensor> example;  ///< meta tensors: shapes and types only
    std::vector<std::uint32_t> outputs;
    std::vector<std::uint32_t> taps;
    std::vector<std::uint32_t> gradient_taps;
    std::vector<std::uint32_t> results;  ///< kept until a run ends: the three above, gradients
    std::vector<RecordedList::GradientWrite> gradients;
    std::vector<at::Tensor> unused_gradients;
    std::vector<BranchKernelPtr> kernels;  ///< that the calls of `ops` name
    MemoryPlan memory;
};

}  // namespace esper::graph
