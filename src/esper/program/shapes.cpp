#include "esper/program/shapes.h"

#include <atomic>

#include "esper/program/schemas.h"

namespace esper::graph {

namespace {

std::atomic<const Schemas*>& provided() {
    static std::atomic<const Schemas*> instance{nullptr};
    return instance;
}

}  // namespace

bool provide_schemas(const Schemas& schemas) {
    provided().store(&schemas);
    return true;
}

Result<std::vector<TensorType>> infer_types(const Program& program, std::int64_t free_size) {
    if (const auto* schemas = provided().load()) return schemas->infer_types(program, free_size);
    return fail(SchemaError::kNoEngine,
                "the shapes in '" + program.name() +
                    "' are not known: this program was built without the engine (libtorch); link "
                    "esper_engine");
}

bool is_floating(DType dtype) {
    return dtype == DType::kFloat32 || dtype == DType::kBFloat16 || dtype == DType::kFloat16 ||
           dtype == DType::kFloat64;
}

}  // namespace esper::graph
