#include "esper/program/loss.h"

#include "esper/program/builder.h"
#include "esper/program/shapes.h"

namespace esper::graph {

Result<ProgramPtr> with_loss(const Program& program, const LossSpec& spec) {
    const auto* logits = program.find_output("logits");
    if (logits == nullptr)
        return fail(GraphError::kUnknownName,
                    "a Program that is trained needs an output named 'logits'; '" + program.name() +
                        "' has none");
    ESPER_TRY(auto types, infer_types(program));
    const auto shape = types[logits->value.value()].shape;
    const bool tokens = shape.size() == 3;
    const auto source = logits->value;
    auto parts = program.parts();
    parts.outputs.clear();
    ESPER_TRY(ProgramPtr headless, Program::make(std::move(parts)));
    ProgramBuilder b(*headless);
    auto target = b.input("target", {DType::kInt64, tokens ? std::vector<std::int64_t>{-1, shape[1]}
                                                           : std::vector<std::int64_t>{-1}});
    Argument values = source;
    Argument targets = target;
    if (tokens) {
        values = b.call("aten::flatten.using_ints", {values, constant(0), constant(1)}, "loss");
        targets = b.call("aten::flatten.using_ints", {targets, constant(0), constant(1)}, "loss");
    }
    // Converts half-precision logits to float32; does nothing for float32.
    values = b.call("aten::to.dtype",
                    {values, Constant{DType::kFloat32}, constant(false), constant(false)}, "loss");
    const std::int64_t mean = 1;
    const std::int64_t none_reduction = 0;
    auto loss = b.call("aten::cross_entropy_loss",
                       {values, targets, none(), constant(spec.per_example ? none_reduction : mean),
                        constant(-100), constant(spec.label_smoothing)},
                       "loss");
    if (!spec.per_example) {
        b.output("loss", loss);
        return b.finish();
    }
    auto best = b.call("aten::argmax", {values, constant(-1), constant(false)}, "loss");
    auto hits = b.call("aten::eq.Tensor", {best, targets}, "loss");
    auto correct =
        b.call("aten::to.dtype",
               {hits, Constant{DType::kFloat32}, constant(false), constant(false)}, "loss");
    auto per_example = [&](ValueId v) {
        if (!tokens) return v;
        auto rows = b.call("aten::unflatten.int", {v, constant(0), ints({-1, shape[1]})}, "loss");
        return b.call("aten::mean.dim", {rows, ints({1}), constant(false)}, "loss");
    };
    b.output("losses", per_example(loss));
    b.output("correct", per_example(correct));
    return b.finish();
}

}  // namespace esper::graph
