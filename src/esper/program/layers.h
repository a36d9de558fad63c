#pragma once

#include <cstdint>
#include <string>

#include "esper/program/builder.h"

namespace esper::graph {

// Layers that hosts and blueprints share. Each declares its parameters as `<name>.weight`,
// `<name>.bias` (PyTorch's names and layouts), adds its calls under the scope `name` and returns
// the result. Shapes are checked later, by infer_types().

inline Init zeros() { return {}; }
inline Init ones() { return {Init::Kind::kConstant, 1.0}; }
inline Init normal(double std) { return {Init::Kind::kNormal, std}; }
inline Init uniform(double bound) { return {Init::Kind::kUniform, bound}; }
/// Keeps the variance of a ReLU's input: std √(2/fan). (He et al., ICCV 2015, eq. 10 and 14)
Init kaiming_normal(std::int64_t fan);
/// Keeps the variance through a linear map: std √(1/fan_in).
Init variance_matched(std::int64_t fan_in);

struct LinearShape {
    std::int64_t in = 0;
    std::int64_t out = 0;
    bool bias = true;
};
/// [..., in] → [..., out]; weight [out, in], bias zeros.
ValueId linear(ProgramBuilder& b, const std::string& name, ValueId x, LinearShape shape, Init init);

struct ConvShape {
    std::int64_t in = 0;
    std::int64_t out = 0;
    std::int64_t kernel = 1;
    std::int64_t stride = 1;
    std::int64_t groups = 1;
    bool bias = false;
};
/// [N, in, H, W] → [N, out, ⌈H/stride⌉, ⌈W/stride⌉] (odd kernels, padding kernel/2); weight
/// [out, in/groups, kernel, kernel], bias zeros.
ValueId conv2d(ProgramBuilder& b, const std::string& name, ValueId x, ConvShape shape, Init init);

/// Over N, H, W of [N, features, H, W]; running statistics are buffers that training updates with
/// momentum 0.1; eps 1e-5.
ValueId batch_norm(ProgramBuilder& b, const std::string& name, ValueId x, std::int64_t features);
/// Over groups of channels of [N, features, ...], see group_count(); eps 1e-5.
ValueId group_norm(ProgramBuilder& b, const std::string& name, ValueId x, std::int64_t features);
/// Over the last dimension; eps 1e-5.
ValueId layer_norm(ProgramBuilder& b, const std::string& name, ValueId x, std::int64_t features);
/// Over the last dimension, without mean or bias; eps 1e-6. (Zhang & Sennrich, NeurIPS 2019)
ValueId rms_norm(ProgramBuilder& b, const std::string& name, ValueId x, std::int64_t features);

/// The largest number of groups, at most eight, that divides `features` into groups of at least
/// four channels.
std::int64_t group_count(std::int64_t features);

struct AttentionShape {
    std::int64_t features = 0;
    std::int64_t heads = 1;  ///< must divide features
    bool bias = true;
};
/// Causal self-attention over [N, T, features]: one projection `<name>.qkv`, scaled dot product,
/// one projection `<name>.proj` back. N and T may be free.
ValueId causal_attention(ProgramBuilder& b, const std::string& name, ValueId x,
                         AttentionShape shape, Init qkv, Init proj);

ValueId relu(ProgramBuilder& b, ValueId x, const std::string& scope);
/// The tanh form. (Hendrycks & Gimpel, 2016)
ValueId gelu(ProgramBuilder& b, ValueId x, const std::string& scope);
ValueId add(ProgramBuilder& b, ValueId x, ValueId y, const std::string& scope);

}  // namespace esper::graph
