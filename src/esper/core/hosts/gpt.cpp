#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "esper/core/hosts/makers.h"
#include "esper/program/layers.h"

namespace esper::core {

using namespace graph;

namespace {

/// Every dropout has its own `site`, so that masks of one step differ from each other.
class Dropout {
  public:
    Dropout(ProgramBuilder& b, double p) : b_(b), p_(p) {
        if (p > 0) step_ = b.control("dropout.step", 0);
    }
    ValueId operator()(ValueId x, const std::string& scope) {
        if (!step_) return x;
        auto mask = b_.call("esper::dropout_mask",
                            {x, constant(p_), constant(site_++), *step_, training_flag()}, scope);
        return b_.call("aten::mul.Tensor", {x, mask}, scope);
    }

  private:
    ProgramBuilder& b_;
    double p_;
    int site_ = 0;
    std::optional<ValueId> step_;
};

Status check(const HostSpec& spec) {
    ESPER_CHECK_STATUS(check_size(spec, "depth", spec.depth, 1, 1'000));
    ESPER_CHECK_STATUS(check_size(spec, "width", spec.width, 1, 1 << 16));
    ESPER_CHECK_STATUS(check_size(spec, "heads", spec.heads, 1, 1 << 10));
    ESPER_CHECK_STATUS(check_size(spec, "context", spec.context, 1, 1 << 20));
    ESPER_CHECK_STATUS(check_size(spec, "classes (vocabulary)", spec.classes, 1, 1 << 24));
    if (spec.width % spec.heads != 0)
        return fail(CoreError::kBadHostSpec,
                    fmt::format("gpt needs heads that divide its width, got {} heads and width {}",
                                spec.heads, spec.width));
    if (!(spec.dropout >= 0 && spec.dropout < 1))
        return fail(CoreError::kBadHostSpec,
                    fmt::format("gpt needs a dropout in [0, 1), got {}", spec.dropout));
    return {};
}

}  // namespace

// First values are normal. A layer that reads the normalised stream has 1/√d, so that its output
// has about the scale of its input; one that adds to the stream has 0.8/√d. GPT-2's 0.02 (Radford
// et al., 2019) is meant for widths near 768: at the widths used here it leaves the attention
// almost uniform and the blocks almost silent for the first part of a run. A head that shares the
// embedding's weight asks for larger values there, since the logits are made with them.
Result<ProgramPtr> make_gpt(const HostSpec& spec) {
    ESPER_CHECK_STATUS(check(spec));
    const auto d = spec.width;
    const double fan_in = 1 / std::sqrt(static_cast<double>(d));
    const auto init = normal(fan_in);
    const auto residual = normal(0.8 * fan_in);

    ProgramBuilder b(fmt::format("gpt-{}x{}", spec.depth, d));
    auto x = b.input("x", {DType::kInt64, {-1, spec.context}});
    auto tokens = b.parameter("tok_emb.weight", {DType::kFloat32, {spec.classes, d}},
                              normal(spec.tied_head ? 0.5 * fan_in : 0.1));
    auto positions =
        b.parameter("pos_emb.weight", {DType::kFloat32, {spec.context, d}}, normal(0.05));
    Dropout dropout(b, spec.dropout);

    auto h = add(b, b.call("aten::embedding", {tokens, x}, "tok_emb"), positions, "pos_emb");
    h = dropout(h, "drop");
    for (std::int64_t i = 0; i < spec.depth; ++i) {
        auto name = fmt::format("blocks.{}", i);
        auto attended = causal_attention(b, name + ".attn", layer_norm(b, name + ".ln1", h, d),
                                         {d, spec.heads}, init, residual);
        h = add(b, h, dropout(attended, name + ".attn.drop"), name);
        auto inner =
            linear(b, name + ".mlp.fc", layer_norm(b, name + ".ln2", h, d), {d, 4 * d}, init);
        inner = gelu(b, inner, name + ".mlp");
        auto out = linear(b, name + ".mlp.proj", inner, {4 * d, d}, residual);
        h = add(b, h, dropout(out, name + ".mlp.drop"), name);
        b.anchor(name, AnchorKind::kTokens, h, d, inner);
    }
    h = layer_norm(b, "ln_f", h, d);
    auto logits = spec.tied_head ? b.call("aten::linear", {h, tokens, none()}, "head")
                                 : linear(b, "head", h, {d, spec.classes, false}, normal(0.02));
    b.output("logits", logits);
    return b.finish();
}

}  // namespace esper::core
