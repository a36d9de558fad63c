#pragma once

#include "esper/program/cost/cost_rules.h"

namespace esper::graph::cost_rules {

// The cost of one call in operations. A multiply-add counts as two, a transcendental function as
// one; the padding of convolutions and pooling counts like data.

Flops matrix_product(const CostCall& call);        ///< [.., M, K] × [.., K, N]
Flops added_matrix_product(const CostCall& call);  ///< c + a × b
Flops convolution(const CostCall& call);
Flops transposed_convolution(const CostCall& call);
/// Causal attention counts the T(T+1)/2 pairs that it needs, not T².
Flops attention(const CostCall& call);
/// A look-up costs nothing; its backward pass adds each row's gradient to the table.
Flops embedding(const CostCall& call);

/// Per element: mean 1, variance 2, normalise 2, weight 1, bias 1. Backward: input 9 (+1 with a
/// weight), weight 2, bias 1. BatchNorm is counted as in training.
Flops batch_norm(const CostCall& call);
Flops group_norm(const CostCall& call);
Flops layer_norm(const CostCall& call);
/// Per element: squares 2, scale 1, weight 1. Backward: input 5 (+1), weight 3.
Flops rms_norm(const CostCall& call);
/// Per element: maximum, difference, exponential, sum, quotient; backward 4.
Flops softmax(const CostCall& call);
Flops cross_entropy(const CostCall& call);

Flops sum_of_two(const CostCall& call);
Flops product_of_two(const CostCall& call);
Flops quotient_of_two(const CostCall& call);
Flops added_product(const CostCall& call);
/// Forward: nothing. Backward, per element: two norms 2 each, the pull 2.
Flops straight_through(const CostCall& call);
Flops shifted(const CostCall& call);      ///< one per element; the gradient passes unchanged
Flops no_gradient(const CostCall& call);  ///< one per element; no gradient

Flops sum(const CostCall& call);
Flops mean(const CostCall& call);
Flops extreme(const CostCall& call);
Flops picked(const CostCall& call);  ///< the index of an extreme: comparisons; no gradient
Flops average_pool(const CostCall& call);
Flops max_pool(const CostCall& call);
Flops repeated(const CostCall& call);
Flops average_pool_1d(const CostCall& call);
Flops max_pool_1d(const CostCall& call);
/// Interpolation: four neighbours, each weighted and added; the same backward.
Flops interpolated(const CostCall& call);
/// Variance and norms: three per input element, and three backward.
Flops spread(const CostCall& call);
/// One half of the input scaled by the sigmoid of the other: five per output element.
Flops gated(const CostCall& call);

/// Every combination of the equation's labels is one multiply-add per pair of operands.
Flops einsum(const CostCall& call);
/// x₁ᵀ W x₂ + bias.
Flops bilinear_form(const CostCall& call);
/// LSTM, GRU and plain recurrence: one multiply-add per weight, time step and example.
Flops recurrent(const CostCall& call);

}  // namespace esper::graph::cost_rules
