// Linear maps, convolutions, attention, recurrences.
#include "esper/program/cost/cost_formulas.h"
#include "esper/program/operators/rows.h"

namespace esper::graph {

namespace {

using namespace cost_rules;
using enum Effect;
using enum Permission;

constexpr OperatorRow kRows[] = {
    {"aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> "
     "Tensor",
     kPure, added_matrix_product, kBySchema, kBlueprints},
    {"aten::addmm_(Tensor(a!) self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> "
     "Tensor(a!)",
     kWritesFirst, added_matrix_product, kBySchema, kHosts},
    {"aten::baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) "
     "-> Tensor",
     kPure, added_matrix_product, kBySchema, kHosts},
    {"aten::baddbmm_(Tensor(a!) self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar "
     "alpha=1) -> Tensor(a!)",
     kWritesFirst, added_matrix_product, kBySchema, kHosts},
    {"aten::bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor",
     kPure, bilinear_form, kBySchema, kHosts},
    {"aten::bmm(Tensor self, Tensor mat2) -> Tensor", kPure, matrix_product, kBySchema,
     kBlueprints},
    {"aten::conv1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], SymInt[1] "
     "padding=[0], SymInt[1] dilation=[1], SymInt groups=1) -> Tensor",
     kPure, convolution,
     "F.conv1d({0}, {1}, bias={2|None}, stride={3|(1,)}, padding={4|(0,)}, dilation={5|(1,)}, "
     "groups={6|1})",
     kBlueprints},
    {"aten::conv1d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], "
     "str padding=\"valid\", SymInt[1] dilation=[1], SymInt groups=1) -> Tensor",
     kPure, convolution, kBySchema, kHosts},
    {"aten::conv2d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=[1, 1], "
     "SymInt[2] padding=[0, 0], SymInt[2] dilation=[1, 1], SymInt groups=1) -> Tensor",
     kPure, convolution,
     "F.conv2d({0}, {1}, bias={2|None}, stride={3|(1, 1)}, padding={4|(0, 0)}, dilation={5|(1, "
     "1)}, groups={6|1})",
     kBlueprints},
    {"aten::conv2d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=[1, "
     "1], str padding=\"valid\", SymInt[2] dilation=[1, 1], SymInt groups=1) -> Tensor",
     kPure, convolution, kBySchema, kHosts},
    {"aten::conv3d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], "
     "SymInt[3] padding=[0, 0, 0], SymInt[3] dilation=[1, 1, 1], SymInt groups=1) -> Tensor",
     kPure, convolution, kBySchema, kHosts},
    {"aten::conv3d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1, "
     "1], str padding=\"valid\", SymInt[3] dilation=[1, 1, 1], SymInt groups=1) -> Tensor",
     kPure, convolution, kBySchema, kHosts},
    {"aten::conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], "
     "SymInt[1] padding=[0], SymInt[1] output_padding=[0], SymInt groups=1, SymInt[1] "
     "dilation=[1]) -> Tensor",
     kPure, transposed_convolution, kBySchema, kHosts},
    {"aten::conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] "
     "stride=[1, 1], SymInt[2] padding=[0, 0], SymInt[2] output_padding=[0, 0], SymInt groups=1, "
     "SymInt[2] dilation=[1, 1]) -> Tensor",
     kPure, transposed_convolution, kBySchema, kHosts},
    {"aten::conv_transpose3d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] "
     "stride=[1, 1, 1], SymInt[3] padding=[0, 0, 0], SymInt[3] output_padding=[0, 0, 0], SymInt "
     "groups=1, SymInt[3] dilation=[1, 1, 1]) -> Tensor",
     kPure, transposed_convolution, kBySchema, kHosts},
    {"aten::convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] "
     "padding, SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups) -> "
     "Tensor",
     kPure, convolution, kBySchema, kHosts},
    {"aten::einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor", kPure, einsum,
     kBySchema, kHosts},
    {"aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool "
     "scale_grad_by_freq=False, bool sparse=False) -> Tensor",
     kPure, embedding, "F.embedding({1}, {0})", kHosts},
    {"aten::gru.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, "
     "float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
     kPure, recurrent, kBySchema, kHosts},
    {"aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", kPure, linear,
     "F.linear({0}, {1}, bias={2|None})", kBlueprints},
    {"aten::lstm.input(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int "
     "num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, "
     "Tensor, Tensor)",
     kPure, recurrent, kBySchema, kHosts},
    {"aten::matmul(Tensor self, Tensor other) -> Tensor", kPure, matrix_product, kBySchema,
     kBlueprints},
    {"aten::mm(Tensor self, Tensor mat2) -> Tensor", kPure, matrix_product, kBySchema, kBlueprints},
    {"aten::rnn_relu.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int "
     "num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, "
     "Tensor)",
     kPure, recurrent, kBySchema, kHosts},
    {"aten::rnn_tanh.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int "
     "num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, "
     "Tensor)",
     kPure, recurrent, kBySchema, kHosts},
    {"aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? "
     "attn_mask=None, float dropout_p=0., bool is_causal=False, *, float? scale=None, bool "
     "enable_gqa=False) -> Tensor",
     kDrawsIfDropping, attention,
     "F.scaled_dot_product_attention({0}, {1}, {2}, attn_mask={3|None}, dropout_p={4|0.0}, "
     "is_causal={5|False}, scale={6|None}, enable_gqa={7|False})",
     kBlueprints},
    {"aten::_scaled_dot_product_attention_math(Tensor query, Tensor key, Tensor value, Tensor? "
     "attn_mask=None, float dropout_p=0., bool is_causal=False, Tensor? dropout_mask=None, *, "
     "float? scale=None, bool enable_gqa=False) -> (Tensor, Tensor)",
     kPure, attention, kBySchema, kHosts},
};

}  // namespace

std::span<const OperatorRow> contractions_rows() { return kRows; }

}  // namespace esper::graph
