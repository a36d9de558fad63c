// Picking, scattering and sorting by index or mask.
#include "esper/program/cost/cost_formulas.h"
#include "esper/program/operators/rows.h"

namespace esper::graph {

namespace {

using namespace cost_rules;
using enum Effect;
using enum Permission;

constexpr OperatorRow kRows[] = {
    {"aten::argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::block_diag(Tensor[] tensors) -> Tensor", kPure, free, kBySchema, kHosts},
    {"aten::bucketize.Tensor(Tensor self, Tensor boundaries, *, bool out_int32=False, bool "
     "right=False) -> Tensor",
     kPure, free, kBySchema, kHosts},
    {"aten::cartesian_prod(Tensor[] tensors) -> Tensor", kPure, free, kBySchema, kHosts},
    {"aten::diag(Tensor self, int diagonal=0) -> Tensor", kPure, free, kBySchema, kHosts},
    {"aten::diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::embedding_renorm_(Tensor(a!) self, Tensor indices, float max_norm, float norm_type) -> "
     "Tensor(a!)",
     kWritesFirst, free, kBySchema, kHosts},
    {"aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor", kPure,
     free, kBySchema, kHosts},
    {"aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", kPure, free, kBySchema,
     kHosts},
    {"aten::index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> "
     "Tensor",
     kPure, free, kBySchema, kHosts},
    {"aten::index_add_(Tensor(a!) self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) "
     "-> Tensor(a!)",
     kWritesFirst, free, kBySchema, kHosts},
    {"aten::index_fill.int_Scalar(Tensor self, int dim, Tensor index, Scalar value) -> Tensor",
     kPure, free, kBySchema, kHosts},
    {"aten::index_fill_.int_Scalar(Tensor(a!) self, int dim, Tensor index, Scalar value) -> "
     "Tensor(a!)",
     kWritesFirst, free, kBySchema, kHosts},
    {"aten::index_fill.int_Tensor(Tensor self, int dim, Tensor index, Tensor value) -> Tensor",
     kPure, free, kBySchema, kHosts},
    {"aten::index_fill_.int_Tensor(Tensor(a!) self, int dim, Tensor index, Tensor value) -> "
     "Tensor(a!)",
     kWritesFirst, free, kBySchema, kHosts},
    {"aten::index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> "
     "Tensor",
     kPure, free, kBySchema, kHosts},
    {"aten::index_put_(Tensor(a!) self, Tensor?[] indices, Tensor values, bool accumulate=False) "
     "-> Tensor(a!)",
     kWritesFirst, free, kBySchema, kHosts},
    {"aten::index_select(Tensor self, int dim, Tensor index) -> Tensor", kPure, free, kBySchema,
     kHosts},
    {"aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::masked_fill_.Scalar(Tensor(a!) self, Tensor mask, Scalar value) -> Tensor(a!)",
     kWritesFirst, free, kBySchema, kHosts},
    {"aten::masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::masked_fill_.Tensor(Tensor(a!) self, Tensor mask, Tensor value) -> Tensor(a!)",
     kWritesFirst, free, kBySchema, kHosts},
    {"aten::masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::masked_scatter_(Tensor(a!) self, Tensor mask, Tensor source) -> Tensor(a!)",
     kWritesFirst, free, kBySchema, kHosts},
    {"aten::masked_select(Tensor self, Tensor mask) -> Tensor", kPure, free, kBySchema, kHosts},
    {"aten::nonzero(Tensor self) -> Tensor", kPure, free, kBySchema, kHosts},
    {"aten::one_hot(Tensor self, int num_classes=-1) -> Tensor", kPure, free, kBySchema, kHosts},
    {"aten::pad_sequence(Tensor[] sequences, bool batch_first=False, float padding_value=0., str "
     "padding_side=\"right\") -> Tensor",
     kPure, free, kBySchema, kHosts},
    {"aten::scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::scatter_.src(Tensor(a!) self, int dim, Tensor index, Tensor src) -> Tensor(a!)",
     kWritesFirst, free, kBySchema, kHosts},
    {"aten::scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::scatter_.value(Tensor(a!) self, int dim, Tensor index, Scalar value) -> Tensor(a!)",
     kWritesFirst, free, kBySchema, kHosts},
    {"aten::scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::scatter_add_(Tensor(a!) self, int dim, Tensor index, Tensor src) -> Tensor(a!)",
     kWritesFirst, free, kBySchema, kHosts},
    {"aten::searchsorted.Tensor(Tensor sorted_sequence, Tensor self, *, bool out_int32=False, bool "
     "right=False, str? side=None, Tensor? sorter=None) -> Tensor",
     kPure, free, kBySchema, kHosts},
    {"aten::select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? "
     "end=None, SymInt step=1) -> Tensor",
     kPure, free, kBySchema, kHosts},
    {"aten::sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor "
     "indices)",
     kPure, free, kBySchema, kHosts},
    {"aten::take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> "
     "(Tensor values, Tensor indices)",
     kPure, free, kBySchema, kHosts},
    {"aten::trapezoid.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor", kPure, free, kBySchema,
     kHosts},
    {"aten::tril(Tensor self, SymInt diagonal=0) -> Tensor", kPure, free, kBySchema, kHosts},
    {"aten::tril_(Tensor(a!) self, SymInt diagonal=0) -> Tensor(a!)", kWritesFirst, free, kBySchema,
     kHosts},
    {"aten::triu(Tensor self, SymInt diagonal=0) -> Tensor", kPure, free, kBySchema, kHosts},
    {"aten::triu_(Tensor(a!) self, SymInt diagonal=0) -> Tensor(a!)", kWritesFirst, free, kBySchema,
     kHosts},
    {"aten::where(Tensor condition) -> Tensor[]", kPure, free, kBySchema, kHosts},
    {"aten::where.Scalar(Tensor condition, Scalar self, Scalar other) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::where.ScalarOther(Tensor condition, Tensor self, Scalar other) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::where.ScalarSelf(Tensor condition, Scalar self, Tensor other) -> Tensor", kPure, free,
     kBySchema, kHosts},
    {"aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor", kPure, free,
     kBySchema, kHosts},
};

}  // namespace

std::span<const OperatorRow> indexing_rows() { return kRows; }

}  // namespace esper::graph
