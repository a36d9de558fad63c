// Element by element, two tensors.
#include "esper/program/cost/cost_formulas.h"
#include "esper/program/operators/rows.h"

namespace esper::graph {

namespace {

using namespace cost_rules;
using enum Effect;
using enum Permission;

constexpr OperatorRow kRows[] = {
    {"aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", kPure, sum_of_two,
     "{0} + {1}{2!1}", kBlueprints},
    {"aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)",
     kWritesFirst, sum_of_two, kBySchema, kHosts},
    {"aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
     kPure, added_product, "torch.addcmul({0}, {1}, {2}, value={3|1})", kBlueprints},
    {"aten::addcmul_(Tensor(a!) self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> "
     "Tensor(a!)",
     kWritesFirst, added_product, kBySchema, kHosts},
    {"aten::atan2(Tensor self, Tensor other) -> Tensor", kPure, product_of_two, kBySchema, kHosts},
    {"aten::atan2_(Tensor(a!) self, Tensor other) -> Tensor(a!)", kWritesFirst, product_of_two,
     kBySchema, kHosts},
    {"aten::div.Tensor(Tensor self, Tensor other) -> Tensor", kPure, quotient_of_two, kBySchema,
     kBlueprints},
    {"aten::div_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)", kWritesFirst,
     quotient_of_two, kBySchema, kHosts},
    {"aten::fmax(Tensor self, Tensor other) -> Tensor", kPure, product_of_two, kBySchema, kHosts},
    {"aten::fmin(Tensor self, Tensor other) -> Tensor", kPure, product_of_two, kBySchema, kHosts},
    {"aten::hypot(Tensor self, Tensor other) -> Tensor", kPure, product_of_two, kBySchema, kHosts},
    {"aten::hypot_(Tensor(a!) self, Tensor other) -> Tensor(a!)", kWritesFirst, product_of_two,
     kBySchema, kHosts},
    {"aten::lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor", kPure, product_of_two,
     kBySchema, kHosts},
    {"aten::lerp_.Scalar(Tensor(a!) self, Tensor end, Scalar weight) -> Tensor(a!)", kWritesFirst,
     product_of_two, kBySchema, kHosts},
    {"aten::lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor", kPure, product_of_two,
     kBySchema, kHosts},
    {"aten::lerp_.Tensor(Tensor(a!) self, Tensor end, Tensor weight) -> Tensor(a!)", kWritesFirst,
     product_of_two, kBySchema, kHosts},
    {"aten::max.other(Tensor self, Tensor other) -> Tensor", kPure, product_of_two, kBySchema,
     kHosts},
    {"aten::maximum(Tensor self, Tensor other) -> Tensor", kPure, product_of_two, kBySchema,
     kHosts},
    {"aten::min.other(Tensor self, Tensor other) -> Tensor", kPure, product_of_two, kBySchema,
     kHosts},
    {"aten::minimum(Tensor self, Tensor other) -> Tensor", kPure, product_of_two, kBySchema,
     kHosts},
    {"aten::mul.Tensor(Tensor self, Tensor other) -> Tensor", kPure, product_of_two, "{0} * {1}",
     kBlueprints},
    {"aten::mul_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)", kWritesFirst, product_of_two,
     kBySchema, kHosts},
    {"aten::outer(Tensor self, Tensor vec2) -> Tensor", kPure, product_of_two, kBySchema, kHosts},
    {"aten::pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor", kPure, product_of_two,
     kBySchema, kHosts},
    {"aten::prelu(Tensor self, Tensor weight) -> Tensor", kPure, product_of_two, kBySchema, kHosts},
    {"aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", kPure, sum_of_two,
     "{0} - {1}{2!1}", kBlueprints},
    {"aten::sub_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)",
     kWritesFirst, sum_of_two, kBySchema, kHosts},
    {"aten::xlogy.Tensor(Tensor self, Tensor other) -> Tensor", kPure, product_of_two, kBySchema,
     kHosts},
    {"aten::xlogy_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)", kWritesFirst,
     product_of_two, kBySchema, kHosts},
};

}  // namespace

std::span<const OperatorRow> pairs_rows() { return kRows; }

}  // namespace esper::graph
