#pragma once
// What only libtorch knows of a Program. The engine provides it where it is linked; without an
// engine Programs are still read, checked, hashed, edited in part and written.

#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

#define ESPER_SCHEMA_ERRORS(X) \
    X(kNoEngine, kRuntime) /* only libtorch knows, and it is not linked */
ESPER_DEFINE_ERRORS(SchemaError, "graph", ESPER_SCHEMA_ERRORS)

class Schemas {
  public:
    virtual ~Schemas() = default;
    /// See infer_types() of shapes.h.
    virtual Result<std::vector<TensorType>> infer_types(const Program& program,
                                                        std::int64_t free_size) const = 0;
};

/// From now on infer_types() asks `schemas`, which must outlive every call. Returns true, so that a
/// static variable can call it. Thread-safe.
bool provide_schemas(const Schemas& schemas);

}  // namespace esper::graph
