// Reductions and pooling.
#include "esper/program/cost/cost_formulas.h"
#include "esper/program/operators/rows.h"

namespace esper::graph {

namespace {

using namespace cost_rules;
using enum Effect;
using enum Permission;

constexpr OperatorRow kRows[] = {
    {"aten::adaptive_avg_pool1d(Tensor self, int[1] output_size) -> Tensor", kPure, mean, kBySchema,
     kHosts},
    {"aten::adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor", kPure, mean,
     kBySchema, kBlueprints},
    {"aten::adaptive_avg_pool3d(Tensor self, SymInt[3] output_size) -> Tensor", kPure, mean,
     kBySchema, kHosts},
    {"aten::adaptive_max_pool2d(Tensor self, int[2] output_size) -> (Tensor, Tensor)", kPure,
     extreme, kBySchema, kHosts},
    {"aten::all(Tensor self) -> Tensor", kPure, picked, kBySchema, kHosts},
    {"aten::amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", kPure, extreme,
     kBySchema, kBlueprints},
    {"aten::amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", kPure, extreme,
     kBySchema, kBlueprints},
    {"aten::aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)",
     kPure, extreme, kBySchema, kHosts},
    {"aten::any(Tensor self) -> Tensor", kPure, picked, kBySchema, kHosts},
    {"aten::any.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", kPure, picked, kBySchema,
     kHosts},
    {"aten::argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", kPure, picked,
     kBySchema, kHosts},
    {"aten::argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", kPure, picked,
     kBySchema, kHosts},
    {"aten::avg_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], bool "
     "ceil_mode=False, bool count_include_pad=True) -> Tensor",
     kPure, average_pool_1d, kBySchema, kHosts},
    {"aten::avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool "
     "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
     kPure, average_pool, kBySchema, kBlueprints},
    {"aten::cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor", kPure,
     spread, kBySchema, kHosts},
    {"aten::linalg_norm(Tensor self, Scalar? ord=None, int[1]? dim=None, bool keepdim=False, *, "
     "ScalarType? dtype=None) -> Tensor",
     kPure, spread, kBySchema, kHosts},
    {"aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, "
     "ScalarType? dtype=None) -> Tensor",
     kPure, spread, kBySchema, kHosts},
    {"aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor", kPure, spread,
     kBySchema, kHosts},
    {"aten::max(Tensor self) -> Tensor", kPure, extreme, kBySchema, kHosts},
    {"aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
     kPure, extreme, kBySchema, kHosts},
    {"aten::max_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], "
     "int[1] dilation=[1], bool ceil_mode=False) -> Tensor",
     kPure, max_pool_1d, kBySchema, kHosts},
    {"aten::max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] "
     "dilation=1, bool ceil_mode=False) -> Tensor",
     kPure, max_pool,
     "F.max_pool2d({0}, {1}, stride={2|()}, padding={3|(0, 0)}, dilation={4|(1, 1)}, "
     "ceil_mode={5|False})",
     kBlueprints},
    {"aten::max_pool2d_with_indices(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] "
     "padding=0, int[2] dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)",
     kPure, max_pool, kBySchema, kHosts},
    {"aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor", kPure, mean, kBySchema,
     kHosts},
    {"aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> "
     "Tensor",
     kPure, mean, "{0}.mean({1}, keepdim={2|False}, dtype={3|None})", kBlueprints},
    {"aten::median.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor "
     "indices)",
     kPure, extreme, kBySchema, kHosts},
    {"aten::min(Tensor self) -> Tensor", kPure, extreme, kBySchema, kHosts},
    {"aten::min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
     kPure, extreme, kBySchema, kHosts},
    {"aten::mode(Tensor self, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
     kPure, extreme, kBySchema, kHosts},
    {"aten::norm.Scalar(Tensor self, Scalar p=2) -> Tensor", kPure, spread, kBySchema, kHosts},
    {"aten::norm.ScalarOpt_dim(Tensor self, Scalar? p, int[1] dim, bool keepdim=False) -> Tensor",
     kPure, spread, kBySchema, kHosts},
    {"aten::prod(Tensor self, *, ScalarType? dtype=None) -> Tensor", kPure, extreme, kBySchema,
     kHosts},
    {"aten::std(Tensor self, bool unbiased=True) -> Tensor", kPure, spread, kBySchema, kHosts},
    {"aten::std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> Tensor",
     kPure, spread, kBySchema, kHosts},
    {"aten::std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor",
     kPure, spread, kBySchema, kHosts},
    {"aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor", kPure, sum, kBySchema, kHosts},
    {"aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? "
     "dtype=None) -> Tensor",
     kPure, sum, kBySchema, kBlueprints},
    {"aten::var(Tensor self, bool unbiased=True) -> Tensor", kPure, spread, kBySchema, kHosts},
    {"aten::var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> Tensor",
     kPure, spread, kBySchema, kHosts},
    {"aten::var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor",
     kPure, spread, kBySchema, kHosts},
    {"aten::var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> (Tensor, Tensor)",
     kPure, spread, kBySchema, kHosts},
};

}  // namespace

std::span<const OperatorRow> reductions_rows() { return kRows; }

}  // namespace esper::graph
