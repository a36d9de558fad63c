#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "esper/program/program.h"

namespace esper::tolaria {

/// The sums for a closed-form readout (docs/growth.md, "The first values of a seed's last layer";
/// after Verbockhaven et al., TMLR 2024), in double. A row is one position of one example: H is the
/// branch's features, G is −∂L/∂y, Y is the anchor's value, X is the input of the host's layer that
/// computes y.
class ReadoutMoments {
  public:
    /// Tensors [rows, features]; X is undefined if it is not known.
    struct Rows {
        at::Tensor h, g, y, x;
    };
    void add(const Rows& rows);
    std::int64_t rows() const { return n_; }
    bool removes_host_part() const { return xx_.defined(); }

    struct Readout {
        /// [features out, h], scaled so that its output is as large as the anchor's value.
        at::Tensor direction;
        /// First-order estimate of the mean loss that the direction saves on these rows:
        /// tr(WᵀHᵀG⊥)/passes.
        double first_order_gain = 0;
    };
    /// W = (HᵀH + λI)⁻¹HᵀG⊥ with G⊥ = G − X(XᵀX + λI)⁻¹XᵀG, λ = 10⁻³ of the mean of the diagonal.
    /// `passes`: the number of batches of the rows; G is the gradient of a batch's mean loss.
    Readout solve(std::int64_t passes) const;

  private:
    at::Tensor hh_, hg_, xx_, xg_, xh_;
    double y_squares_ = 0;
    double y_count_ = 0;
    std::int64_t n_ = 0;
};

/// The input of the host's layer at each position of y, as rows: the input itself for a linear
/// layer, unfolded windows for a convolution, and a constant for the bias.
class HostLayer {
  public:
    /// The layer that reads the anchor's layer_input; nothing if that is not known.
    static std::optional<HostLayer> find(const graph::Program& program,
                                         const graph::Anchor& anchor);
    /// `picked`: the positions of one example to keep (see `picked_places`). Returns an undefined
    /// tensor if the layer does not have `places` positions.
    at::Tensor rows(const at::Tensor& x, std::int64_t places, const at::Tensor& picked) const;

  private:
    bool convolution_ = false;
    std::vector<std::int64_t> kernel_, stride_, padding_, dilation_;
};

/// At most 16 positions of an image and 32 of a text, spread evenly, as i64. Neighbouring positions
/// are nearly equal, so more examples give more information than more positions.
at::Tensor picked_places(const at::Tensor& value);
/// How many those are.
std::int64_t picked_of_image(std::int64_t height, std::int64_t width);
std::int64_t picked_of_text(std::int64_t positions);
/// Number of positions of one example: H·W, T or 1.
std::int64_t places_of(const at::Tensor& value);
/// [examples · picked, features] in double.
at::Tensor rows_of(const at::Tensor& value, const at::Tensor& picked);

}  // namespace esper::tolaria
