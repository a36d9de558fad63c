#include "esper/program/types.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace esper::graph {
namespace {

struct DTypeInfo {
    std::string_view name;
    std::size_t size;
};

constexpr std::array<DTypeInfo, kDTypeCount> kDTypes{{{"f32", 4},
                                                      {"bf16", 2},
                                                      {"f16", 2},
                                                      {"f64", 8},
                                                      {"i64", 8},
                                                      {"i32", 4},
                                                      {"i16", 2},
                                                      {"i8", 1},
                                                      {"u8", 1},
                                                      {"bool", 1}}};

}  // namespace

std::string_view dtype_name(DType dtype) {
    const auto index = static_cast<std::size_t>(dtype);
    return index < kDTypes.size() ? kDTypes[index].name : "?";
}

std::optional<DType> dtype_from_name(std::string_view name) {
    for (std::size_t i = 0; i < kDTypes.size(); ++i) {
        if (kDTypes[i].name == name) return static_cast<DType>(i);
    }
    return std::nullopt;
}

std::size_t dtype_size(DType dtype) {
    const auto index = static_cast<std::size_t>(dtype);
    return index < kDTypes.size() ? kDTypes[index].size : 0;
}

std::int64_t TensorType::numel() const {
    std::int64_t total = 1;
    bool overflow = false;
    for (const std::int64_t size : shape) {
        if (size == 0) return 0;
        if (size > 0 && __builtin_mul_overflow(total, size, &total)) {
            overflow = true;
            total = 1;
        }
    }
    return overflow ? std::numeric_limits<std::int64_t>::max() : total;
}

std::string to_string(const TensorType& type) {
    std::string text(dtype_name(type.dtype));
    text += '[';
    for (std::size_t i = 0; i < type.shape.size(); ++i) {
        if (i > 0) text += ", ";
        text += type.shape[i] == -1 ? std::string("?") : std::to_string(type.shape[i]);
    }
    text += ']';
    return text;
}

}  // namespace esper::graph
