#include "esper/engine/torch_compat.h"

#include <ATen/core/List.h>

namespace esper::graph {

at::ScalarType to_scalar_type(DType dtype) {
    switch (dtype) {
        case DType::kFloat32:
            return at::kFloat;
        case DType::kBFloat16:
            return at::kBFloat16;
        case DType::kFloat16:
            return at::kHalf;
        case DType::kFloat64:
            return at::kDouble;
        case DType::kInt64:
            return at::kLong;
        case DType::kInt32:
            return at::kInt;
        case DType::kInt16:
            return at::kShort;
        case DType::kInt8:
            return at::kChar;
        case DType::kUInt8:
            return at::kByte;
        case DType::kBool:
            return at::kBool;
    }
    return at::kFloat;
}

Result<DType> from_scalar_type(at::ScalarType type) {
    for (int i = 0; i < kDTypeCount; ++i)
        if (to_scalar_type(static_cast<DType>(i)) == type) return static_cast<DType>(i);
    return fail(GraphError::kShapeMismatch,
                std::string("element type ") + c10::toString(type) + " has no place in a Program");
}

at::MemoryFormat to_memory_format(MemoryFormat format) {
    switch (format) {
        case MemoryFormat::kContiguous:
            return at::MemoryFormat::Contiguous;
        case MemoryFormat::kPreserve:
            return at::MemoryFormat::Preserve;
        case MemoryFormat::kChannelsLast:
            return at::MemoryFormat::ChannelsLast;
    }
    return at::MemoryFormat::Contiguous;
}

namespace {

struct ToIValue {
    bool training;
    c10::IValue operator()(std::monostate) const { return {}; }
    c10::IValue operator()(TrainingFlag) const { return training; }
    c10::IValue operator()(bool v) const { return v; }
    c10::IValue operator()(std::int64_t v) const { return v; }
    c10::IValue operator()(double v) const { return v; }
    c10::IValue operator()(const std::string& v) const { return v; }
    c10::IValue operator()(const std::vector<std::int64_t>& v) const {
        return c10::List<int64_t>(v);
    }
    c10::IValue operator()(const std::vector<double>& v) const { return c10::List<double>(v); }
    c10::IValue operator()(const std::vector<bool>& v) const {
        c10::List<bool> list;
        for (bool b : v) list.push_back(b);
        return list;
    }
    c10::IValue operator()(DType v) const { return static_cast<std::int64_t>(to_scalar_type(v)); }
    c10::IValue operator()(MemoryFormat v) const {
        return static_cast<std::int64_t>(to_memory_format(v));
    }
};

}  // namespace

c10::IValue to_ivalue(const Constant& constant, bool training) {
    return std::visit(ToIValue{training}, constant);
}

}  // namespace esper::graph
