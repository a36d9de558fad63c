// Normalisations, softmax and losses.
#include "esper/program/cost/cost_formulas.h"
#include "esper/program/operators/rows.h"

namespace esper::graph {

namespace {

using namespace cost_rules;
using enum Effect;
using enum Permission;

constexpr OperatorRow kRows[] = {
    {"aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? "
     "running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor",
     kKeepsStatistics, batch_norm,
     "F.batch_norm({0}, {3}, {4}, weight={1|None}, bias={2|None}, training={5|False}, "
     "momentum={6}, eps={7})",
     kHosts},
    {"aten::cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, "
     "SymInt ignore_index=-100, float label_smoothing=0.) -> Tensor",
     kPure, cross_entropy, kBySchema, kHosts},
    {"aten::group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float "
     "eps=1.0000000000000001e-05, bool cudnn_enabled=True) -> Tensor",
     kPure, group_norm, "F.group_norm({0}, {1}, weight={2|None}, bias={3|None}, eps={4})",
     kBlueprints},
    {"aten::huber_loss(Tensor self, Tensor target, int reduction=1, float delta=1.) -> Tensor",
     kPure, unary, kBySchema, kHosts},
    {"aten::instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, "
     "Tensor? running_var, bool use_input_stats, float momentum, float eps, bool cudnn_enabled) -> "
     "Tensor",
     kKeepsStatistics, batch_norm, kBySchema, kHosts},
    {"aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? "
     "bias=None, float eps=1.0000000000000001e-05, bool cudnn_enable=True) -> Tensor",
     kPure, layer_norm, "F.layer_norm({0}, {1}, weight={2|None}, bias={3|None}, eps={4})",
     kBlueprints},
    {"aten::_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", kPure, softmax,
     kBySchema, kHosts},
    {"aten::log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", kPure,
     softmax, kBySchema, kHosts},
    {"aten::mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor", kPure, unary,
     kBySchema, kHosts},
    {"aten::native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? "
     "bias, float eps) -> (Tensor, Tensor, Tensor)",
     kPure, layer_norm, kBySchema, kHosts},
    {"aten::nll_loss_nd(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt "
     "ignore_index=-100) -> Tensor",
     kPure, free, kBySchema, kHosts},
    {"aten::rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? "
     "eps=None) -> Tensor",
     kPure, rms_norm, "F.rms_norm({0}, {1}, weight={2|None}, eps={3|None})", kBlueprints},
    {"aten::smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.) -> Tensor",
     kPure, unary, kBySchema, kHosts},
    {"aten::_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", kPure, softmax,
     kBySchema, kHosts},
    {"aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", kPure, softmax,
     kBySchema, kBlueprints},
};

}  // namespace

std::span<const OperatorRow> norms_rows() { return kRows; }

}  // namespace esper::graph
