#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "esper/program/layers.h"

namespace esper::blueprints {

/// The input of a blueprint's function: the builder, the activation x and its sizes. readout() also
/// stores here which parameters the last layer has.
struct Branch {
    graph::ProgramBuilder& b;
    graph::ValueId x;
    graph::AnchorKind kind;
    std::int64_t features;

    /// Width for layers narrower than the anchor: features / ratio, at least 8.
    std::int64_t narrow(std::int64_t ratio) const;

    /// GroupNorm for images, RMSNorm for vectors and tokens.
    graph::ValueId norm(const std::string& name, graph::ValueId value, std::int64_t size);
    /// 1×1 convolution for images, linear layer for vectors and tokens.
    graph::ValueId project(const std::string& name, graph::ValueId value, std::int64_t in,
                           std::int64_t out, graph::Init init, bool bias = false);
    /// The last layer, from h with `in` features to the anchor's features. Its random weights are
    /// small: if h has unit variance, s(x) has a standard deviation of kReadoutScale.
    graph::ValueId readout(graph::ValueId h, std::int64_t in, bool bias = true);

    static constexpr double kReadoutScale = 0.1;

    /// At tokens: each feature summed, with weights `mix.weight` of its own, over a token and the
    /// three before it. No token sees a later one.
    graph::ValueId mix_earlier_tokens(graph::ValueId value, graph::Init init);
    static constexpr std::int64_t kMixedTokens = 4;

    // Set by readout().
    std::string readout_weight;
    std::string readout_bias;
    std::optional<graph::ValueId> readout_input;
};

}  // namespace esper::blueprints
