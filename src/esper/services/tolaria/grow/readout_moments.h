#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "esper/program/program.h"

namespace esper::tolaria {

/// The sums behind a closed-form readout (growth.md, "Initialising a newborn", 2; after
/// Verbockhaven et al., TMLR 2024), in double. One row is one position of one example: H the
/// branch's features, G what the loss still wants there (−∂L/∂y), Y the anchor's own value, X what
/// the host's layer reads to make y.
class ReadoutMoments {
  public:
    /// [rows, features] each; X undefined where it is not known.
    struct Rows {
        at::Tensor h, g, y, x;
    };
    void add(const Rows& rows);
    std::int64_t rows() const { return n_; }
    bool removes_host_part() const { return xx_.defined(); }

    struct Readout {
        /// [features out, h], as large at the anchor as what flows there.
        at::Tensor direction;
        /// Mean loss that the direction saves at the rows given, to first order:
        /// tr(WᵀHᵀG⊥)/passes.
        double first_order_gain = 0;
    };
    /// W = (HᵀH + λI)⁻¹HᵀG⊥ with G⊥ = G − X(XᵀX + λI)⁻¹XᵀG, λ = 10⁻³ of the mean of the diagonal.
    /// `passes`: how many batches the rows are of, G being the gradient of a batch's mean loss.
    Readout solve(std::int64_t passes) const;

  private:
    at::Tensor hh_, hg_, xx_, xg_, xh_;
    double y_squares_ = 0;
    double y_count_ = 0;
    std::int64_t n_ = 0;
};

/// What the host's layer reads at the places where it makes y, as rows: the input itself for a
/// linear layer, unfolded windows for a convolution, and a constant for the bias.
class HostLayer {
  public:
    /// The layer that reads the anchor's layer_input; nothing where that is not known.
    static std::optional<HostLayer> find(const graph::Program& program,
                                         const graph::Anchor& anchor);
    /// `picked`: places of one example to keep (see `picked_places`). Undefined when the layer's
    /// places are not `places`.
    at::Tensor rows(const at::Tensor& x, std::int64_t places, const at::Tensor& picked) const;

  private:
    bool convolution_ = false;
    std::vector<std::int64_t> kernel_, stride_, padding_, dilation_;
};

/// Positions of one example that stand for all of it, at most 16, spread evenly: neighbours say
/// nearly the same, so more examples are worth more than more positions. i64.
at::Tensor picked_places(const at::Tensor& value);
/// Positions of one example: H·W, T or 1.
std::int64_t places_of(const at::Tensor& value);
/// [examples · picked, features] in double.
at::Tensor rows_of(const at::Tensor& value, const at::Tensor& picked);

}  // namespace esper::tolaria
