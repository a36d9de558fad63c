#include "esper/services/tolaria/grow/readout.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "esper/base/random.h"
#include "esper/program/edits/edits.h"
#include "esper/program/edits/seed_names.h"
#include "esper/services/tolaria/grow/readout_moments.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/kept_buffers.h"
#include "esper/services/tolaria/learn/recalibration.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

namespace {

constexpr std::int64_t kRowsPerFeature = 10;
// A host layer that reads more features than a tenth of these is not removed: fewer rows would
// explain the gradient away by chance, more would cost more than the seed.
constexpr std::int64_t kMostRows = 16384;

std::optional<graph::ValueId> feeding(const graph::Program& program, const std::string& weight) {
    const auto* parameter = program.find_parameter(weight);
    if (parameter == nullptr) return std::nullopt;
    for (const auto& instruction : program.instructions())
        for (const auto& argument : instruction.args)
            if (const auto* id = std::get_if<graph::ValueId>(&argument);
                id && *id == parameter->value)
                return std::get<graph::ValueId>(instruction.args[0]);
    return std::nullopt;
}

struct TrialBlock {
    graph::TensorStore& store;
    std::string seed;
    ~TrialBlock() {
        store.remove(graph::seed_scope(seed), graph::seed_prefix(seed));
        store.remove_control(graph::seed_control(seed));
    }
};

}  // namespace

Result<ReadoutFit> fit_readout(const ReadoutRequest& request, Engine& engine,
                               graph::TensorStore& store, const Dataset& dataset) {
    if (request.blueprint.readout_weight.empty())
        return fail(TolariaError::kUnsupported,
                    "blueprint '" + request.blueprint.name + "' has no linear last layer to fit");
    const auto* anchor = request.program->find_anchor(request.anchor);
    if (anchor == nullptr)
        return fail(TolariaError::kUnsupported, "no anchor '" + request.anchor + "'");
    ESPER_TRY(auto isolated,
              graph::apply(*request.program,
                           graph::InsertSeed{request.seed, request.anchor, request.blueprint.name,
                                             request.blueprint.program}));
    ESPER_TRY(auto blended,
              graph::apply(*isolated, graph::SetSeedMode{request.seed, graph::SeedMode::kBlended}));
    TrialBlock trial{store, request.seed};
    ESPER_CHECK_STATUS(store.add(*blended, graph::seed_scope(request.seed)));
    ESPER_CHECK_STATUS(store.set_control(graph::seed_control(request.seed), 1.0));
    const auto weight_name = graph::seed_prefix(request.seed) + request.blueprint.readout_weight;
    const auto features = feeding(*isolated, weight_name);
    const auto* weight = store.find_parameter(weight_name);
    if (!features || weight == nullptr)
        return fail(TolariaError::kUnsupported, "nothing reads '" + weight_name + "'");
    const auto join = isolated->find_anchor(request.anchor)->value;
    std::vector<graph::ValueId> taps{*features, join};
    std::optional<HostLayer> layer;
    if (request.removes_host_part)
        layer = HostLayer::find(*isolated, *isolated->find_anchor(request.anchor));
    if (layer) taps.push_back(*isolated->find_anchor(request.anchor)->layer_input);
    // Passes in training mode must not be seen in the host's running statistics.
    const BufferGuard leaves_no_trace(store);

    ReadoutFit fit;
    RandomStream random(request.run_seed, "readout:" + request.anchor,
                        static_cast<std::uint64_t>(request.step));
    Batch batch;
    const auto all = dataset.size(Part::kTrain);
    const auto known = request.train_examples > 0 ? std::min(request.train_examples, all) : all;
    auto draw = [&]() -> Status {
        batch.indices.clear();
        for (std::uint32_t i = 0; i < request.batch_size; ++i)
            batch.indices.push_back(static_cast<std::uint32_t>(random.below(known)));
        return fill_batch(dataset, Part::kTrain,
                          Variation{request.run_seed, static_cast<std::uint64_t>(request.step)},
                          batch);
    };
    ReadoutMoments moments;
    std::int64_t wanted = request.least_rows;
    double places_for_each_picked = 1;
    for (int i = 0; i < request.least_batches || moments.rows() < wanted; ++i) {
        ESPER_CHECK_STATUS(draw());
        ESPER_TRY(auto pass, engine.gradients(isolated, store, as_tensors(batch, dataset.info()),
                                              taps, {join}));
        const auto places = places_of(pass.taps[1]);
        if (places_of(pass.taps[0]) != places)
            return fail(TolariaError::kUnsupported,
                        "the readout of blueprint '" + request.blueprint.name + "' reads " +
                            std::to_string(places_of(pass.taps[0])) +
                            " positions an example where the anchor has " + std::to_string(places));
        const auto picked = picked_places(pass.taps[1]);
        places_for_each_picked = static_cast<double>(places) / static_cast<double>(picked.numel());
        ReadoutMoments::Rows rows{rows_of(pass.taps[0], picked),
                                  rows_of(pass.gradient_taps[0], picked).neg(),
                                  rows_of(pass.taps[1], picked), at::Tensor()};
        if (layer) rows.x = layer->rows(pass.taps[2], places, picked);
        if (rows.x.defined() && kRowsPerFeature * rows.x.size(1) > kMostRows) {
            layer.reset();
            rows.x = at::Tensor();
        }
        if (request.blueprint.features != rows.y.size(1)) {
            rows.g = rows.g.narrow(1, request.blueprint.first_feature, request.blueprint.features);
            rows.y = rows.y.narrow(1, request.blueprint.first_feature, request.blueprint.features);
        }
        moments.add(rows);
        const auto widest = std::max(rows.h.size(1), rows.x.defined() ? rows.x.size(1) : 0);
        wanted = std::max(request.least_rows, kRowsPerFeature * widest);
        fit.training_examples += request.batch_size;
    }
    fit.samples = moments.rows();
    fit.host_part_removed = moments.removes_host_part();
    // Each pass's gradient is that of its mean loss over examples.
    const auto solved = moments.solve(fit.training_examples / request.batch_size);
    const auto direction =
        solved.direction.to(at::kFloat).reshape(weight->value.sizes()).contiguous();

    const double gammas[] = {0, 1.0 / 64, 1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1, 2, 4};
    std::vector<double> losses(std::size(gammas), 0.0);
    const auto held_out = (request.held_out_examples + request.batch_size - 1) / request.batch_size;
    for (std::uint32_t b = 0; b < held_out; ++b) {
        ESPER_CHECK_STATUS(draw());
        const auto inputs = as_tensors(batch, dataset.info());
        for (std::size_t i = 0; i < std::size(gammas); ++i) {
            auto target = weight->value;
            target.copy_(direction * gammas[i]);
            ESPER_TRY(auto seen, evaluate_variant(engine, blended, store, inputs));
            losses[i] += seen.losses.mean().item<double>() / held_out;
            fit.evaluation_examples += request.batch_size;
        }
    }
    std::size_t best = 0;
    for (std::size_t i = 1; i < losses.size(); ++i)
        if (losses[i] < losses[best]) best = i;
    fit.gamma = gammas[best];
    fit.loss_without = losses[0];
    fit.loss_with = losses[best];
    fit.first_order_gain = solved.first_order_gain * places_for_each_picked * fit.gamma;
    fit.weight = direction * fit.gamma;
    return fit;
}

}  // namespace esper::tolaria
