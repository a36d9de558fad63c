#include "esper/services/tolaria/grow/readout.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <vector>

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
constexpr std::int64_t kHeldOutExamples = 256;
constexpr std::int64_t kHeldOutPositions = 4096;
constexpr std::int64_t kFewestHeldOut = 32;
constexpr double kGammas[] = {0, 1.0 / 64, 1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1, 2, 4};
constexpr std::size_t kSmallGamma = 4;
constexpr std::size_t kLargeGamma = 7;
/// Gammas that a search tries, mostly.
constexpr std::int64_t kExpectedTries = 6;

/// The best factor of a fitted layer on held-out batches. Losses along the factor fall and then
/// rise, so a few of them are enough: of two in the middle the better one, and on from there.
struct GammaSearch {
    Engine& engine;
    const graph::ProgramPtr& program;
    graph::TensorStore& store;
    at::Tensor weight;
    const at::Tensor& direction;
    std::vector<Batch> held_out;
    std::array<std::optional<double>, std::size(kGammas)> losses;

    std::int64_t tried() const {
        return std::ranges::count_if(losses, [](const auto& loss) { return loss.has_value(); });
    }
    Result<double> at_gamma(std::size_t i, const DatasetInfo& data) {
        if (losses[i]) return *losses[i];
        weight.copy_(direction * kGammas[i]);
        double loss = 0;
        for (const auto& batch : held_out) {
            ESPER_TRY(auto seen, evaluate_variant(engine, program, store, as_tensors(batch, data)));
            loss += seen.losses.mean().item<double>() / static_cast<double>(held_out.size());
        }
        losses[i] = loss;
        return loss;
    }
    Result<std::size_t> best(const DatasetInfo& data) {
        ESPER_CHECK_STATUS(at_gamma(0, data));
        ESPER_TRY(const auto small, at_gamma(kSmallGamma, data));
        ESPER_TRY(const auto large, at_gamma(kLargeGamma, data));
        const std::size_t first = large < small ? kLargeGamma : kSmallGamma;
        std::size_t at = first;
        const auto better = [&](std::size_t next) -> Result<bool> {
            ESPER_TRY(const auto there, at_gamma(next, data));
            return there < *losses[at];
        };
        const bool too_far = !(*losses[at] < *losses[0]);
        while (!too_far && at + 1 < std::size(kGammas)) {
            ESPER_TRY(const auto falls, better(at + 1));
            if (!falls) break;
            ++at;
        }
        // From a factor that was too large the way is down, until it helps and the next helps less.
        while ((too_far || at == first) && at > 1) {
            ESPER_TRY(const auto falls, better(at - 1));
            if (!falls && *losses[at] < *losses[0]) break;
            --at;
        }
        return static_cast<std::size_t>(
            std::ranges::min_element(losses, {},
                                     [](const auto& loss) {
                                         return loss ? *loss
                                                     : std::numeric_limits<double>::infinity();
                                     }) -
            losses.begin());
    }
};

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

// Each position of a text has a target of its own.
std::size_t held_out_batches(const DatasetInfo& data, std::uint32_t batch_size) {
    const auto wanted = data.tokens ? std::clamp(kHeldOutPositions / data.target_elements(),
                                                 kFewestHeldOut, kHeldOutExamples)
                                    : kHeldOutExamples;
    return static_cast<std::size_t>((wanted + batch_size - 1) / batch_size);
}

ExpectedFit expected_fit(const graph::TensorType& anchor, const DatasetInfo& data,
                         std::uint32_t batch_size) {
    const auto size = [&](std::size_t dimension) {
        const auto n = anchor.shape.at(dimension);
        return n > 0 ? n : data.target_elements();
    };
    const auto picked = anchor.shape.size() == 4   ? picked_of_image(size(2), size(3))
                        : anchor.shape.size() == 3 ? picked_of_text(size(1))
                                                   : 1;
    const std::int64_t batch = batch_size;
    const ReadoutRequest usual;
    const auto batches = std::max<std::int64_t>(
        usual.least_batches, (usual.least_rows + picked * batch - 1) / (picked * batch));
    const auto held_out = static_cast<std::int64_t>(held_out_batches(data, batch_size));
    return {batches * batch, kExpectedTries * held_out * batch};
}

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

    GammaSearch search{engine, blended, store, weight->value, direction, {}, {}};
    search.held_out.resize(request.held_out_examples
                               ? (*request.held_out_examples + request.batch_size - 1) /
                                     request.batch_size
                               : held_out_batches(dataset.info(), request.batch_size));
    for (auto& one : search.held_out) {
        ESPER_CHECK_STATUS(draw());
        one = batch;
    }
    ESPER_TRY(const auto best, search.best(dataset.info()));
    fit.evaluation_examples =
        search.tried() * std::ssize(search.held_out) * std::int64_t{request.batch_size};
    const auto& losses = search.losses;
    fit.gamma = kGammas[best];
    fit.loss_without = *losses[0];
    fit.loss_with = *losses[best];
    fit.first_order_gain = solved.first_order_gain * places_for_each_picked * fit.gamma;
    fit.weight = direction * fit.gamma;
    return fit;
}

}  // namespace esper::tolaria
