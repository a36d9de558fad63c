#include "esper/program/input_size.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/program/shapes.h"

namespace esper::graph {

Result<ProgramPtr> with_input_size(const Program& program, std::span<const std::int64_t> sizes) {
    if (program.inputs().empty())
        return fail(GraphError::kUnknownName, "'" + program.name() + "' has no input");
    auto parts = program.parts();
    auto& shape = parts.inputs.front().type.shape;
    shape.resize(std::min<std::size_t>(shape.size(), 1));
    shape.insert(shape.end(), sizes.begin(), sizes.end());
    return Program::make(std::move(parts));
}

Status check_input_size(const Program& program, std::span<const std::int64_t> sizes) {
    // So that a flattening that takes its examples from the batch gives itself away.
    constexpr std::int64_t kBatch = 3;
    ESPER_TRY(const auto other, with_input_size(program, sizes));
    ESPER_TRY(const auto own, infer_types(program, kBatch));
    ESPER_TRY(const auto types, infer_types(*other, kBatch));
    for (const auto& output : program.outputs()) {
        const auto& wanted = own[output.value.value()];
        const auto& got = types[output.value.value()];
        if (got == wanted) continue;
        return fail(GraphError::kShapeMismatch,
                    fmt::format("its output '{}' becomes {}, for images of its own size it is {}",
                                output.name, to_string(got), to_string(wanted)));
    }
    return {};
}

}  // namespace esper::graph
