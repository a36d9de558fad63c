#include "esper/program/loss.h"

#include <fmt/format.h>

#include "esper/program/builder.h"
#include "esper/program/shapes.h"

namespace esper::graph {
namespace {

constexpr std::int64_t kNoReduction = 0;
constexpr std::int64_t kMean = 1;

std::int64_t reduction_of(const LossSpec& spec) { return spec.per_example ? kNoReduction : kMean; }

// Half-precision logits become float32; float32 is left as it is.
ValueId to_float(ProgramBuilder& b, const Argument& value) {
    return b.call("aten::to.dtype",
                  {value, Constant{DType::kFloat32}, constant(false), constant(false)}, "loss");
}

// 1 where fewer than `best` logits are above that of the right class.
ValueId among_best(ProgramBuilder& b, const Argument& values, const Argument& targets,
                   std::int64_t best) {
    auto places = b.call("aten::unsqueeze", {targets, constant(1)}, "loss");
    auto right = b.call("aten::gather", {values, constant(1), places, constant(false)}, "loss");
    auto above = b.call("aten::gt.Tensor", {values, right}, "loss");
    auto rank =
        b.call("aten::sum.dim_IntList", {to_float(b, above), ints({1}), constant(false)}, "loss");
    auto among = b.call("aten::lt.Scalar", {rank, constant(best)}, "loss");
    return to_float(b, among);
}

Result<ProgramPtr> with_squared_error(ProgramBuilder& b, ValueId logits, const LossSpec& spec) {
    auto target = b.input("target", {DType::kFloat32, {-1}});
    auto flat = b.call("aten::flatten.using_ints", {logits, constant(0), constant(-1)}, "loss");
    auto loss =
        b.call("aten::mse_loss", {to_float(b, flat), target, constant(reduction_of(spec))}, "loss");
    b.output(spec.per_example ? "losses" : "loss", loss);
    return b.finish();
}

// Of an image or a row; of a text the sum over its tokens says nothing.
Result<ProgramPtr> with_soft_classes(ProgramBuilder& b, ValueId logits, std::int64_t classes,
                                     const LossSpec& spec) {
    if (spec.per_example)
        return fail(GraphError::kMalformed, "soft classes have no loss of one example");
    auto target = b.input("target", {DType::kFloat32, {-1, classes}});
    auto logs = b.call("aten::log_softmax.int", {to_float(b, logits), constant(1), none()}, "loss");
    auto products = b.call("aten::mul.Tensor", {target, logs}, "loss");
    auto sums = b.call("aten::sum.dim_IntList", {products, ints({1}), constant(false)}, "loss");
    auto mean = b.call("aten::mean.dim", {sums, ints({0}), constant(false)}, "loss");
    b.output("loss", b.call("aten::neg", {mean}, "loss"));
    return b.finish();
}

// softplus(x) - t·x is the binary cross-entropy of the logit x, whose exponential never overflows.
Result<ProgramPtr> with_labels(ProgramBuilder& b, ValueId logits, std::int64_t labels,
                               const LossSpec& spec) {
    auto holds = b.input("target", {DType::kBool, {-1, labels}});
    auto values = to_float(b, logits);
    auto target = to_float(b, holds);
    auto soft = b.call("aten::softplus", {values, constant(1.0), constant(20.0)}, "loss");
    auto products = b.call("aten::mul.Tensor", {target, values}, "loss");
    auto each = b.call("aten::sub.Tensor", {soft, products, constant(1)}, "loss");
    const auto mean = [&](ValueId v) {
        return b.call("aten::mean.dim", {v, ints({1}), constant(false)}, "loss");
    };
    auto losses = mean(each);
    if (!spec.per_example) {
        b.output("loss", b.call("aten::mean.dim", {losses, ints({0}), constant(false)}, "loss"));
        return b.finish();
    }
    auto said = b.call("aten::gt.Scalar", {values, constant(0)}, "loss");
    auto right = b.call("aten::eq.Tensor", {said, holds}, "loss");
    b.output("losses", losses);
    b.output("correct", mean(to_float(b, right)));
    if (spec.scores) b.output("scores", values);
    return b.finish();
}

// Torch's logarithms of the sigmoids are x - softplus(x) and -softplus(x).
Result<ProgramPtr> with_soft_labels(ProgramBuilder& b, ValueId logits, std::int64_t labels,
                                    const LossSpec& spec) {
    if (spec.per_example)
        return fail(GraphError::kMalformed, "soft labels have no loss of one example");
    auto target = b.input("target", {DType::kFloat32, {-1, 2, labels}});
    auto values = to_float(b, logits);
    const auto factor = [&](std::int64_t plane) {
        return b.call("aten::select.int", {target, constant(1), constant(plane)}, "loss");
    };
    auto soft = b.call("aten::softplus", {values, constant(1.0), constant(20.0)}, "loss");
    auto above = b.call("aten::mul.Tensor", {factor(0), soft}, "loss");
    auto below = b.call("aten::mul.Tensor", {factor(1), values}, "loss");
    auto each = b.call("aten::sub.Tensor", {above, below, constant(1)}, "loss");
    auto losses = b.call("aten::mean.dim", {each, ints({1}), constant(false)}, "loss");
    b.output("loss", b.call("aten::mean.dim", {losses, ints({0}), constant(false)}, "loss"));
    return b.finish();
}

Result<ProgramPtr> with_cross_entropy(ProgramBuilder& b, ValueId logits,
                                      const std::vector<std::int64_t>& shape,
                                      const LossSpec& spec) {
    const bool tokens = shape.size() == 3;
    auto target = b.input("target", {DType::kInt64, tokens ? std::vector<std::int64_t>{-1, shape[1]}
                                                           : std::vector<std::int64_t>{-1}});
    Argument values = logits;
    Argument targets = target;
    if (tokens) {
        values = b.call("aten::flatten.using_ints", {values, constant(0), constant(1)}, "loss");
        targets = b.call("aten::flatten.using_ints", {targets, constant(0), constant(1)}, "loss");
    }
    values = to_float(b, values);
    auto loss = b.call("aten::cross_entropy_loss",
                       {values, targets, none(), constant(reduction_of(spec)), constant(-100),
                        constant(spec.label_smoothing)},
                       "loss");
    if (!spec.per_example) {
        b.output("loss", loss);
        return b.finish();
    }
    auto best = b.call("aten::argmax", {values, constant(-1), constant(false)}, "loss");
    auto hits = b.call("aten::eq.Tensor", {best, targets}, "loss");
    auto correct = to_float(b, hits);
    auto per_example = [&](ValueId v) {
        if (!tokens) return v;
        auto rows = b.call("aten::unflatten.int", {v, constant(0), ints({-1, shape[1]})}, "loss");
        return b.call("aten::mean.dim", {rows, ints({1}), constant(false)}, "loss");
    };
    b.output("losses", per_example(loss));
    b.output("correct", per_example(correct));
    if (spec.among_best > 0 && !tokens)
        b.output("among_best", among_best(b, values, targets, spec.among_best));
    if (spec.scores && !tokens) b.output("scores", std::get<ValueId>(values));
    return b.finish();
}

}  // namespace

Result<ProgramPtr> with_loss(const Program& program, const LossSpec& spec) {
    const auto* logits = program.find_output("logits");
    if (logits == nullptr)
        return fail(GraphError::kUnknownName,
                    "a Program that is trained needs an output named 'logits'; '" + program.name() +
                        "' has none");
    ESPER_TRY(auto types, infer_types(program));
    const auto shape = types[logits->value.value()].shape;
    const auto source = logits->value;
    const bool one_value = shape.size() == 2 && shape[1] == 1;
    if (spec.kind == LossKind::kSquaredError && !one_value)
        return fail(GraphError::kMalformed,
                    fmt::format("a squared error needs logits f32[?, 1]; those of '{}' are {}",
                                program.name(), to_string(types[source.value()])));
    const bool by_class = spec.kind == LossKind::kSoftClasses || spec.kind == LossKind::kLabels ||
                          spec.kind == LossKind::kSoftLabels;
    if (by_class && shape.size() != 2)
        return fail(
            GraphError::kMalformed,
            fmt::format("soft classes and labels need logits f32[?, K]; those of '{}' are {}",
                        program.name(), to_string(types[source.value()])));
    auto parts = program.parts();
    parts.outputs.clear();
    ESPER_TRY(ProgramPtr headless, Program::make(std::move(parts)));
    ProgramBuilder b(*headless);
    switch (spec.kind) {
        case LossKind::kSquaredError:
            return with_squared_error(b, source, spec);
        case LossKind::kSoftClasses:
            return with_soft_classes(b, source, shape[1], spec);
        case LossKind::kLabels:
            return with_labels(b, source, shape[1], spec);
        case LossKind::kSoftLabels:
            return with_soft_labels(b, source, shape[1], spec);
        case LossKind::kCrossEntropy:
            break;
    }
    return with_cross_entropy(b, source, shape, spec);
}

}  // namespace esper::graph
