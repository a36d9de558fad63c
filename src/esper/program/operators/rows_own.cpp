// Esper's own operators (engine/operators/).
#include "esper/program/cost/cost_formulas.h"
#include "esper/program/operators/rows.h"

namespace esper::graph {

namespace {

using namespace cost_rules;
using enum Effect;
using enum Permission;

constexpr OperatorRow kRows[] = {
    {"esper::bernoulli(Tensor like, float p, int site, Tensor step, bool train) -> Tensor", kPure,
     no_gradient,
     "(torch.bernoulli(torch.full_like({0}, {1})) if self.training else torch.full_like({0}, {1}))",
     kHosts},
    {"esper::dropout_mask(Tensor like, float p, int site, Tensor step, bool train) -> Tensor",
     kPure, no_gradient, "F.dropout(torch.ones_like({0}), {1}, training=self.training)",
     kBlueprints},
    {"esper::integer(int value) -> int", kPure, free, "{0}", kHosts},
    {"esper::normal(Tensor like, int site, Tensor step) -> Tensor", kPure, no_gradient,
     "torch.randn_like({0})", kHosts},
    {"esper::real(float value) -> float", kPure, free, "{0}", kHosts},
    {"esper::real_add(float a, float b) -> float", kPure, free, "({0} + {1})", kHosts},
    {"esper::real_div(float a, float b) -> float", kPure, free, "({0} / {1})", kHosts},
    {"esper::real_mul(float a, float b) -> float", kPure, free, "({0} * {1})", kHosts},
    {"esper::real_pow(float a, float b) -> float", kPure, free, "({0} ** {1})", kHosts},
    {"esper::real_sub(float a, float b) -> float", kPure, free, "({0} - {1})", kHosts},
    {"esper::size_add(int a, int b) -> int", kPure, free, "({0} + {1})", kHosts},
    {"esper::size_ceil(float a) -> int", kPure, free, "int(-(-{0} // 1))", kHosts},
    {"esper::size_float(int a) -> float", kPure, free, "float({0})", kHosts},
    {"esper::size_floor(float a) -> int", kPure, free, "int({0} // 1)", kHosts},
    {"esper::size_floordiv(int a, int b) -> int", kPure, free, "({0} // {1})", kHosts},
    {"esper::size_max(int a, int b) -> int", kPure, free, "max({0}, {1})", kHosts},
    {"esper::size_min(int a, int b) -> int", kPure, free, "min({0}, {1})", kHosts},
    {"esper::size_mod(int a, int b) -> int", kPure, free, "({0} % {1})", kHosts},
    {"esper::size_mul(int a, int b) -> int", kPure, free, "({0} * {1})", kHosts},
    {"esper::size_neg(int a) -> int", kPure, free, "(-{0})", kHosts},
    {"esper::size_sub(int a, int b) -> int", kPure, free, "({0} - {1})", kHosts},
    {"esper::size_trunc(float a) -> int", kPure, free, "int({0})", kHosts},
    {"esper::straight_through(Tensor(a) y, Tensor s) -> Tensor(a)", kSharesFirst, straight_through,
     "straight_through({0}, {1})", kBlueprints},
    {"esper::uniform(Tensor like, int site, Tensor step) -> Tensor", kPure, no_gradient,
     "torch.rand_like({0})", kHosts},
};

}  // namespace

std::span<const OperatorRow> own_rows() { return kRows; }

}  // namespace esper::graph
