#include "esper/services/tolaria/learn/recalibration.h"

#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <map>
#include <string>

#include "esper/base/random.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/kept_buffers.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

namespace {

struct RunningStatistic {
    at::Tensor value;
    double momentum = 0;
    at::Tensor sum;
};

// All forms of the operator take (x, weight, bias, mean, variance, training, momentum, …).
bool is_batch_norm(const std::string& op) {
    return op == "aten::batch_norm" || op == "aten::native_batch_norm" ||
           op == "aten::_native_batch_norm_legit";
}

constexpr std::size_t kMean = 3, kVariance = 4, kTraining = 5, kMomentum = 6;

// A frozen norm does not gather statistics.
bool gathers(const graph::Instruction& item) {
    if (!is_batch_norm(item.op)) return false;
    const auto* training = std::get_if<graph::Constant>(&item.args.at(kTraining));
    return training != nullptr && std::holds_alternative<graph::TrainingFlag>(*training);
}

Result<std::vector<RunningStatistic>> running_statistics(const graph::Program& program,
                                                         graph::TensorStore& store) {
    std::map<std::uint32_t, std::string> names;
    for (const auto& b : program.buffers()) names.emplace(b.value.value(), b.name);
    std::vector<RunningStatistic> found;
    for (const auto& item : program.instructions()) {
        if (!gathers(item)) continue;
        const auto* momentum = std::get_if<graph::Constant>(&item.args.at(kMomentum));
        const auto* m = momentum != nullptr ? std::get_if<double>(momentum) : nullptr;
        if (m == nullptr)
            return fail(TolariaError::kUnsupported,
                        "the batch norm at '" + item.scope +
                            "' has no fixed momentum; give it one, e.g. 0.1, to let it grow");
        for (const auto position : {kMean, kVariance}) {
            const auto* id = std::get_if<graph::ValueId>(&item.args.at(position));
            const auto name = id != nullptr ? names.find(id->value()) : names.end();
            if (name == names.end() || *m <= 0) continue;
            ESPER_TRY(auto value, store.find(name->second));
            found.push_back({value, *m, at::zeros_like(value)});
        }
    }
    return found;
}

}  // namespace

Result<PerExample> evaluate_variant(Engine& engine, const graph::ProgramPtr& program,
                                    graph::TensorStore& store,
                                    const std::vector<at::Tensor>& inputs) {
    return std::ranges::any_of(program->instructions(), gathers)
               ? engine.evaluate_in_training_mode(program, store, inputs)
               : engine.evaluate(program, store, inputs);
}

Result<std::int64_t> recalibrate(Engine& engine, const graph::ProgramPtr& program,
                                 graph::TensorStore& store, const ExampleSource& source) {
    ESPER_TRY(auto statistics, running_statistics(*program, store));
    if (statistics.empty()) return 0;
    {
        BufferGuard guard(store);
        const auto all = source.dataset.size(Part::kTrain);
        const auto examples =
            source.train_examples > 0 ? std::min(source.train_examples, all) : all;
        RandomStream random(source.seed, "recalibration", static_cast<std::uint64_t>(source.step));
        Batch batch;
        for (int i = 0; i < kRecalibrationBatches; ++i) {
            batch.indices.clear();
            for (std::uint32_t n = 0; n < source.batch_size; ++n)
                batch.indices.push_back(static_cast<std::uint32_t>(random.below(examples)));
            ESPER_CHECK_STATUS(fill_batch(source.dataset, Part::kTrain,
                                          Variation{source.seed, static_cast<std::uint64_t>(i)},
                                          batch));
            // From zero, one pass leaves momentum times the batch's own statistics.
            for (auto& s : statistics) s.value.zero_();
            ESPER_CHECK_STATUS(
                engine.settle(program, store, as_tensors(batch, source.dataset.info())));
            for (auto& s : statistics) s.sum.add_(s.value, 1.0 / s.momentum);
        }
    }
    for (auto& s : statistics) {
        s.value.copy_(s.sum);
        s.value.div_(static_cast<double>(kRecalibrationBatches));
    }
    return std::int64_t{kRecalibrationBatches} * source.batch_size;
}

}  // namespace esper::tolaria
