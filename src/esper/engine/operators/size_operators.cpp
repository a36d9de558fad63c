#include <c10/util/Exception.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>

#include "esper/engine/operators/operator_library.h"

namespace esper::graph {

namespace {

// Python's // and %: towards minus infinity, the remainder with the divisor's sign.
std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
    TORCH_CHECK(b != 0, "a size is divided by zero");
    const auto q = a / b;
    return q - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}
std::int64_t modulo(std::int64_t a, std::int64_t b) { return a - b * floor_divide(a, b); }
std::int64_t truncate(double a) {
    TORCH_CHECK(std::abs(a) < 0x1p62, "a size of ", a, " is out of range");
    return static_cast<std::int64_t>(a);
}
double power(double a, double b) { return std::pow(a, b); }

}  // namespace

void define_size_operators(torch::Library& library) {
    using Int = std::int64_t;
    library.def("integer(int value) -> int", [](Int a) { return a; });
    library.def("size_add(int a, int b) -> int", [](Int a, Int b) { return a + b; });
    library.def("size_sub(int a, int b) -> int", [](Int a, Int b) { return a - b; });
    library.def("size_mul(int a, int b) -> int", [](Int a, Int b) { return a * b; });
    library.def("size_floordiv(int a, int b) -> int", &floor_divide);
    library.def("size_mod(int a, int b) -> int", &modulo);
    library.def("size_neg(int a) -> int", [](Int a) { return -a; });
    library.def("size_min(int a, int b) -> int", [](Int a, Int b) { return std::min(a, b); });
    library.def("size_max(int a, int b) -> int", [](Int a, Int b) { return std::max(a, b); });
    library.def("size_float(int a) -> float", [](Int a) { return static_cast<double>(a); });
    library.def("size_trunc(float a) -> int", &truncate);
    library.def("size_ceil(float a) -> int", [](double a) { return truncate(std::ceil(a)); });
    library.def("size_floor(float a) -> int", [](double a) { return truncate(std::floor(a)); });
    library.def("real(float value) -> float", [](double a) { return a; });
    library.def("real_add(float a, float b) -> float", [](double a, double b) { return a + b; });
    library.def("real_sub(float a, float b) -> float", [](double a, double b) { return a - b; });
    library.def("real_mul(float a, float b) -> float", [](double a, double b) { return a * b; });
    library.def("real_div(float a, float b) -> float", [](double a, double b) { return a / b; });
    library.def("real_pow(float a, float b) -> float", &power);
}

}  // namespace esper::graph
