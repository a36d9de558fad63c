#include "esper/program/anchor_types.h"

#include "esper/program/shapes.h"

namespace esper::graph {

Result<std::vector<TensorType>> anchor_types(const Program& program) {
    // Sizes that differ between the batch sizes 2 and 3 are free.
    ESPER_TRY(auto two, infer_types(program, 2));
    ESPER_TRY(auto three, infer_types(program, 3));
    std::vector<TensorType> types;
    for (const auto& anchor : program.anchors()) {
        auto type = two[anchor.value.value()];
        const auto& other = three[anchor.value.value()].shape;
        for (std::size_t i = 0; i < type.shape.size(); ++i)
            if (type.shape[i] != other[i]) type.shape[i] = -1;
        types.push_back(std::move(type));
    }
    return types;
}

}  // namespace esper::graph
