#pragma once
// Parts that adapt a trained, frozen network: one wide residual branch whose last layer is zero, so
// that the network computes at first what it did before.

#include <cstdint>
#include <string_view>
#include <vector>

#include "esper/blueprints/catalogue.h"

namespace esper::blueprints {

/// Names of the adapters for a kind of anchor: `wide_mlp` everywhere, `wide_conv` for images,
/// `wide_mixer` for tokens.
std::vector<std::string_view> adapter_names(graph::AnchorKind kind);

/// Those whose gains are worth measuring at an anchor. Of tokens it is one: `wide_mixer` does what
/// `wide_mlp` does and more, where it may see earlier tokens (`mixing`).
std::vector<std::string_view> adapters_to_try(graph::AnchorKind kind, bool mixing = true);

/// The adapter `name` with `width` hidden units for an anchor whose value has type `type`:
/// s(x) = V·relu²(U·norm(x)), U random with variance 1/fan-in, V zero. U is linear (a 1×1
/// convolution for images) in `wide_mlp` and a 3×3 convolution in `wide_conv`; V is linear or 1×1.
/// In `wide_mixer` U reads each feature plus its weighted sum, with weights of its own, over a
/// token and the three before it; what a token gives depends on no later one. They stand apart from
/// the catalogue: no controller germinates them by itself. Errors: kUnknownBlueprint, kWrongKind,
/// kBadAnchor (also for a width outside 1 … 2^20).
Result<Blueprint> make_adapter(std::string_view name, const graph::Anchor& anchor,
                               const graph::TensorType& type, std::int64_t width);

/// How many parameters such an adapter has.
std::int64_t adapter_parameters(std::string_view name, graph::AnchorKind kind,
                                std::int64_t features, std::int64_t width);

}  // namespace esper::blueprints
