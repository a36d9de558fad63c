#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "esper/engine/lowering.h"
#include "esper/engine/shapes/looking.h"
#include "esper/engine/torch_compat.h"
#include "esper/program/schemas.h"

namespace esper::graph {

namespace {

at::Tensor declared(const TensorType& type, std::int64_t free_size) {
    auto shape = type.shape;
    for (auto& size : shape)
        if (size < 0) size = free_size;
    return meta_tensor(shape, to_scalar_type(type.dtype));
}

/// By value, the last instruction that reads it; its shape is dropped after that.
std::vector<std::uint32_t> last_reads(const Program& program) {
    std::vector<std::uint32_t> last(program.value_count(), 0);
    const auto instructions = program.instructions();
    for (std::uint32_t i = 0; i < instructions.size(); ++i) {
        for (auto id : instructions[i].results) last[id.value()] = i;
        for (const auto& argument : instructions[i].args)
            for_each_value(argument, [&](ValueId id) { last[id.value()] = i; });
    }
    return last;
}

class Inference {
  public:
    Inference(const Program& program, std::int64_t free_size)
        : program_(program),
          free_size_(free_size),
          slots_(program.value_count()),
          types_(program.value_count()),
          last_reads_(graph::last_reads(program)) {}

    Result<std::vector<TensorType>> run() {
        try {
            place(program_.parameters());
            place(program_.buffers());
            place(program_.inputs());
            for (const auto& c : program_.controls()) {
                slots_[c.value.value()] = meta_tensor({}, at::kFloat);
                types_[c.value.value()] = {DType::kFloat32, {}};
            }
        } catch (const c10::Error& e) {
            return fail(GraphError::kTooLarge, fmt::format("with {} for sizes that are free: {}",
                                                           free_size_, e.what_without_backtrace()));
        }
        for (std::uint32_t i = 0; i < program_.instructions().size(); ++i)
            ESPER_CHECK_STATUS(look_at(program_.instructions()[i], i));
        return std::move(types_);
    }

  private:
    void place(const auto& items) {
        for (const auto& item : items) {
            const auto id = item.value.value();
            slots_[id] = declared(item.type, free_size_);
            types_[id] = {item.type.dtype, slots_[id].toTensor().sizes().vec()};
        }
    }

    Status look_at(const Instruction& instruction, std::uint32_t index) {
        OpList one;
        one.slot_count = program_.value_count();
        ESPER_TRY(OpCall call, lower(instruction, false));
        one.calls.push_back(std::move(call));
        if (auto looked = one.run(slots_); !looked)
            return fail(GraphError::kShapeMismatch, looked.error().message());
        for (const auto id : instruction.results) ESPER_CHECK_STATUS(note(id, instruction));
        const auto drop = [&](ValueId id) {
            if (last_reads_[id.value()] == index) slots_[id.value()] = c10::IValue();
        };
        for (const auto& argument : instruction.args) for_each_value(argument, drop);
        for (const auto id : instruction.results) drop(id);
        return {};
    }

    Status note(ValueId id, const Instruction& instruction) {
        const auto& slot = slots_[id.value()];
        if (!slot.isTensor()) {
            types_[id.value()] = {DType::kInt64, {}};
            return {};
        }
        const auto& tensor = slot.toTensor();
        if (!tensor.defined())
            return fail(GraphError::kShapeMismatch, instruction.op + " gives no tensor here");
        ESPER_TRY(const DType dtype, from_scalar_type(tensor.scalar_type()));
        auto& type = types_[id.value()];
        type = {dtype, tensor.sizes().vec()};
        if (tensor.numel() <= Limits::kMaxElements && type.shape.size() <= Limits::kMaxRank)
            return {};
        return fail(
            GraphError::kTooLarge,
            fmt::format("{}{}{} gives {}; a tensor has at most {} elements and {} sizes",
                        instruction.op, instruction.scope.empty() ? "" : " in ", instruction.scope,
                        type.shape.size() <= Limits::kMaxRank
                            ? to_string(type)
                            : fmt::format("{} sizes", type.shape.size()),
                        Limits::kMaxElements, Limits::kMaxRank));
    }

    const Program& program_;
    std::int64_t free_size_;
    std::vector<c10::IValue> slots_;
    std::vector<TensorType> types_;
    std::vector<std::uint32_t> last_reads_;
};

class TorchSchemas : public Schemas {
  public:
    Result<std::vector<TensorType>> infer_types(const Program& program,
                                                std::int64_t free_size) const override {
        at::NoGradGuard no_grad;
        Looking looking;
        return Inference(program, free_size).run();
    }
};

const TorchSchemas schemas;

}  // namespace

}  // namespace esper::graph

// Named on the command line of whatever links the engine (src/esper/CMakeLists.txt), or the linker
// would leave this file of a static library out.
extern "C" {
extern const bool esper_engine_provides_schemas;
const bool esper_engine_provides_schemas = esper::graph::provide_schemas(esper::graph::schemas);
}
