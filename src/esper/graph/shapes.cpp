#include "esper/graph/shapes.h"

#include <ATen/ops/empty.h>

#include "esper/graph/interpreter.h"
#include "esper/graph/torch_compat.h"

namespace esper::graph {

namespace {

at::Tensor meta_tensor(const TensorType& type, std::int64_t free_size) {
    auto shape = type.shape;
    for (auto& size : shape)
        if (size < 0) size = free_size;
    return at::empty(shape,
                     at::TensorOptions(c10::Device("meta")).dtype(to_scalar_type(type.dtype)));
}

}  // namespace

Result<std::vector<TensorType>> infer_types(const Program& program, std::int64_t free_size) {
    // The interpreter wants to share ownership; the Program outlives this call.
    ProgramPtr borrowed(&program, [](const Program*) {});
    ESPER_TRY(auto interpreter, Interpreter::make(borrowed, true));
    Interpreter::Bindings bindings;
    for (const auto& p : program.parameters())
        bindings.parameters.push_back(meta_tensor(p.type, free_size));
    for (const auto& b : program.buffers())
        bindings.buffers.push_back(meta_tensor(b.type, free_size));
    for (std::size_t i = 0; i < program.controls().size(); ++i)
        bindings.controls.push_back(meta_tensor({}, free_size));
    for (const auto& i : program.inputs())
        bindings.inputs.push_back(meta_tensor(i.type, free_size));
    std::vector<ValueId> all;
    for (std::uint32_t v = 0; v < program.value_count(); ++v) all.emplace_back(v);
    auto run = interpreter.run(bindings, all);
    if (!run) return fail(GraphError::kShapeMismatch, run.error().message());
    std::vector<TensorType> types;
    for (std::size_t i = program.outputs().size(); i < run->size(); ++i) {
        const auto& tensor = (*run)[i];
        ESPER_TRY(DType dtype, from_scalar_type(tensor.scalar_type()));
        types.push_back({dtype, tensor.sizes().vec()});
    }
    return types;
}

}  // namespace esper::graph
