#include <algorithm>

#include "esper/engine/rewrites/matcher.h"

namespace esper::graph {

namespace {

constexpr auto kNone = OpCall::kNoSlot;
// Up to this number of multiply-adds our one call is faster than libtorch's several (measured).
constexpr std::int64_t kLargest = std::int64_t{1} << 22;

/// A layer whose forward was replaced.
struct Layer {
    std::uint32_t input;          ///< as the backward pass reads it: rounded where half
    std::uint32_t source;         ///< the same before rounding
    std::uint32_t weight;         ///< as the backward pass reads it
    std::uint32_t source_weight;  ///< float
    bool half;
};

class SmallLinear {
  public:
    SmallLinear(RecordedList& list, const RecordedValues& values) : list_(list), m_(list, values) {}

    void run() {
        for (std::size_t i = 0; i < m_.size(); ++i)
            if (m_.is(i, "aten::addmm")) forward(i);
        for (const auto& layer : layers_) backward(layer);
    }

  private:
    const at::Tensor& value(std::uint32_t slot) const { return m_.value(slot); }
    bool is_type(std::uint32_t slot, at::ScalarType type) const {
        return value(slot).scalar_type() == type;
    }

    /// The slot that a cast to bfloat16 reads, or `slot` itself.
    std::uint32_t before_rounding(std::uint32_t slot) const {
        if (!is_type(slot, at::kBFloat16)) return slot;
        const auto cast = m_.maker(slot, "aten::_to_copy");
        if (!cast || !is_type(m_.argument(*cast, 0), at::kFloat)) return slot;
        return m_.argument(*cast, 0);
    }

    /// The matrix that `slot` is the transpose of.
    std::uint32_t untransposed(std::uint32_t slot) const {
        if (auto t = m_.maker(slot, "aten::t")) return m_.argument(*t, 0);
        if (!list_.persistent.count(slot)) return kNone;
        const auto& view = value(slot);
        for (const auto& [other, tensor] : list_.persistent)
            if (tensor.dim() == 2 && tensor.is_contiguous() && tensor.is_alias_of(view) &&
                tensor.storage_offset() == view.storage_offset() &&
                tensor.size(0) == view.size(1) && tensor.size(1) == view.size(0) &&
                tensor.stride(0) == view.stride(1) && tensor.stride(1) == view.stride(0))
                return other;
        return kNone;
    }

    void forward(std::size_t i) {
        const auto bias = m_.argument(i, 0);
        const auto x = m_.argument(i, 1);
        const auto transposed = m_.argument(i, 2);
        if (bias == kNone || x == kNone || transposed == kNone) return;
        if (!is_one(i, 3) || !is_one(i, 4)) return;
        const auto weight = untransposed(transposed);
        if (weight == kNone || value(bias).dim() != 1) return;
        const auto type = value(x).scalar_type();
        const bool half = type == at::kBFloat16;
        if ((!half && type != at::kFloat) || !is_type(weight, type) || !is_type(bias, type)) return;
        const auto& w = value(weight);
        if (value(x).size(0) * w.size(0) * w.size(1) > kLargest || !w.is_contiguous()) return;
        const Layer layer{x, before_rounding(x), weight, before_rounding(weight), half};
        auto place = i;
        const auto reader = m_.only_reader(m_.call(i).results[0]);
        const bool relu = reader && m_.is(*reader, "aten::relu");
        if (relu) {
            place = *reader;
            m_.remove(i);
        }
        const auto result = m_.call(place).results[0];
        m_.replace(place,
                   make_call("esper::linear_relu",
                             {layer.source, layer.source_weight, before_rounding(bias), relu, half},
                             {result}));
        layers_.push_back(layer);
    }

    bool is_one(std::size_t call, std::uint32_t position) const {
        const auto& c = m_.constant(call, position);
        return (c.isInt() && c.toInt() == 1) || (c.isDouble() && c.toDouble() == 1);
    }

    /// The calls that make a layer's gradients out of g.
    struct Found {
        std::uint32_t g = kNone;
        std::size_t weight_product = 0;
        std::size_t transpose = 0;
        std::optional<std::size_t> input_product;
        std::optional<std::size_t> sum;
        std::vector<std::size_t> views;  ///< between the sum and the gradient
        std::uint32_t bias_gradient = kNone;
    };

    std::optional<std::size_t> gradient_write(std::uint32_t slot) const {
        for (std::size_t i = 0; i < list_.gradients.size(); ++i)
            if (list_.gradients[i].slot == slot) return i;
        return {};
    }

    /// Skips casts to float between a product and its gradient; writing the gradient converts it.
    std::uint32_t through_cast(std::uint32_t slot, std::vector<std::size_t>& calls) const {
        const auto reader = m_.only_reader(slot);
        if (!reader || !m_.is(*reader, "aten::_to_copy")) return slot;
        const auto result = m_.call_results(*reader);
        if (result.size() != 1 || !is_type(result[0], at::kFloat)) return slot;
        calls.push_back(*reader);
        return result[0];
    }

    std::optional<Found> find(const Layer& layer, std::size_t product) {
        Found f;
        f.weight_product = product;
        const auto transpose = m_.maker(m_.argument(product, 0), "aten::t");
        if (!transpose) return {};
        f.transpose = *transpose;
        f.g = m_.argument(*transpose, 0);
        if (value(f.g).scalar_type() != value(layer.input).scalar_type()) return {};
        for (auto reader : m_.readers(f.g)) {
            if (m_.is(reader, "aten::mm") && m_.argument(reader, 0) == f.g &&
                m_.argument(reader, 1) == layer.weight)
                f.input_product = reader;
            if (m_.is(reader, "aten::sum.dim_IntList") &&
                m_.constant(reader, 1).toIntVector() == std::vector<std::int64_t>{0})
                f.sum = reader;
        }
        if (!f.sum) return {};
        auto slot = m_.call(*f.sum).results[0];
        if (auto view = m_.only_reader(slot); view && m_.is(*view, "aten::view")) {
            f.views.push_back(*view);
            slot = m_.call(*view).results[0];
        }
        slot = through_cast(slot, f.views);
        if (!gradient_write(slot) || !m_.readers(slot).empty()) return {};
        f.bias_gradient = slot;
        return f;
    }

    void backward(const Layer& layer) {
        for (auto product : m_.readers(layer.input)) {
            if (!m_.is(product, "aten::mm") || m_.argument(product, 1) != layer.input) continue;
            std::vector<std::size_t> casts;
            const auto slot = through_cast(m_.call(product).results[0], casts);
            const auto write = gradient_write(slot);
            if (!write || !m_.readers(slot).empty()) continue;
            auto found = find(layer, product);
            if (!found) continue;
            const auto target = list_.gradients[*write].target;
            const auto bias_target = list_.gradients[*gradient_write(found->bias_gradient)].target;
            if (!target.is_contiguous() || !bias_target.is_contiguous() ||
                target.sizes() != value(layer.weight).sizes())
                continue;
            replace(layer, *found, casts, target, bias_target);
            std::erase_if(list_.gradients, [&](const auto& g) {
                return g.slot == slot || g.slot == found->bias_gradient;
            });
            return;
        }
    }

    void replace(const Layer& layer, const Found& f, const std::vector<std::size_t>& casts,
                 const at::Tensor& target, const at::Tensor& bias_target) {
        auto place = std::min({f.weight_product, *f.sum, f.input_product.value_or(*f.sum)});
        std::uint32_t dx = kNone;
        if (f.input_product) dx = m_.call(*f.input_product).results[0];
        for (auto call : {f.weight_product, f.transpose, *f.sum}) m_.remove(call);
        if (f.input_product) m_.remove(*f.input_product);
        for (auto call : f.views) m_.remove(call);
        for (auto call : casts) m_.remove(call);
        auto gradient = f.g;
        std::uint32_t passed = kNone;
        const auto threshold = m_.maker(f.g, "aten::threshold_backward");
        if (threshold && !m_.leaves(f.g) && m_.readers(f.g).empty() &&
            m_.value(m_.argument(*threshold, 0)).sizes() == value(f.g).sizes()) {
            passed = m_.argument(*threshold, 1);
            gradient = m_.argument(*threshold, 0);
            m_.remove(*threshold);
        }
        m_.replace(place, make_call("esper::linear_relu_backward",
                                    {gradient, passed, layer.source, layer.source_weight,
                                     layer.half, dx != kNone, target, bias_target},
                                    {dx}));
    }

    RecordedList& list_;
    Matcher m_;
    std::vector<Layer> layers_;
};

}  // namespace

void fuse_small_linear(RecordedList& list, const RecordedValues& values) {
    SmallLinear(list, values).run();
}

}  // namespace esper::graph
