#include "esper/services/tolaria/readout.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "esper/base/random.h"
#include "esper/graph/edits.h"
#include "esper/services/tolaria/batches.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

namespace {

constexpr int kFitBatches = 4;
constexpr int kHeldOutBatches = 2;
constexpr double kRidge = 1e-3;

// [positions, features] in double, whatever flows at the anchor.
at::Tensor rows(const at::Tensor& t) {
    auto x = t.dim() == 4 ? t.permute({0, 2, 3, 1}) : t;
    return x.reshape({-1, x.size(-1)}).to(at::kDouble);
}

struct Moments {
    at::Tensor hh, hg, xx, xg, xh;
    double y_squares = 0;
    double y_count = 0;
    std::int64_t n = 0;

    void add(const at::Tensor& h, const at::Tensor& g, const at::Tensor& y, const at::Tensor& x) {
        auto sum = [](at::Tensor& into, at::Tensor part) {
            into = into.defined() ? into + part : part;
        };
        sum(hh, h.t().mm(h));
        sum(hg, h.t().mm(g));
        y_squares += y.square().sum().item<double>();
        y_count += static_cast<double>(y.numel());
        n += h.size(0);
        if (!x.defined() || x.size(0) != h.size(0)) return;
        sum(xx, x.t().mm(x));
        sum(xg, x.t().mm(g));
        sum(xh, x.t().mm(h));
    }

    static at::Tensor solve(const at::Tensor& a, const at::Tensor& b) {
        const auto d = a.size(0);
        const double ridge = kRidge * a.trace().item<double>() / static_cast<double>(d) + 1e-12;
        return at::linalg_solve(a + at::eye(d, a.options()) * ridge, b);
    }

    // [features out, h], scaled so that the branch is as large as what flows at the anchor.
    at::Tensor readout() const {
        auto target = hg;
        if (xx.defined()) target = hg - xh.t().mm(solve(xx, xg));
        auto w = solve(hh, target);
        const double size = std::sqrt(at::trace(w.t().mm(hh).mm(w)).item<double>() /
                                      static_cast<double>(n * w.size(1)));
        const double wanted = std::sqrt(y_squares / y_count);
        return (size > 0 ? w * (wanted / size) : w * 0.0).t();
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
        store.remove("seed." + seed, "seed." + seed + ".");
        store.remove("", "alpha." + seed);
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
    ESPER_CHECK_STATUS(store.add(*blended, "seed." + request.seed));
    ESPER_CHECK_STATUS(store.set_control("alpha." + request.seed, 1.0));
    const auto weight_name = "seed." + request.seed + "." + request.blueprint.readout_weight;
    const auto features = feeding(*isolated, weight_name);
    const auto* weight = store.find_parameter(weight_name);
    if (!features || weight == nullptr)
        return fail(TolariaError::kUnsupported, "nothing reads '" + weight_name + "'");
    const auto join = isolated->find_anchor(request.anchor)->value;
    std::vector<graph::ValueId> taps{*features, join};
    if (anchor->layer_input) taps.push_back(*anchor->layer_input);

    ReadoutFit fit;
    RandomStream random(request.run_seed, "readout:" + request.anchor,
                        static_cast<std::uint64_t>(request.step));
    Batch batch;
    auto draw = [&]() -> Status {
        batch.indices.clear();
        for (std::uint32_t i = 0; i < request.batch_size; ++i)
            batch.indices.push_back(
                static_cast<std::uint32_t>(random.below(dataset.size(Part::kTrain))));
        return fill_batch(dataset, Part::kTrain,
                          Variation{request.run_seed, static_cast<std::uint64_t>(request.step)},
                          batch);
    };
    Moments moments;
    for (int i = 0; i < kFitBatches; ++i) {
        ESPER_CHECK_STATUS(draw());
        ESPER_TRY(auto pass,
                  engine.train(isolated, store, as_tensors(batch, dataset.info()), taps, {join}));
        auto x =
            taps.size() > 2 && pass.taps[2].is_floating_point() ? rows(pass.taps[2]) : at::Tensor();
        auto g = rows(pass.gradient_taps[0]).neg();
        auto y = rows(pass.taps[1]);
        if (request.blueprint.features != y.size(1)) {
            g = g.narrow(1, request.blueprint.first_feature, request.blueprint.features);
            y = y.narrow(1, request.blueprint.first_feature, request.blueprint.features);
        }
        moments.add(rows(pass.taps[0]), g, y, x);
        fit.training_examples += request.batch_size;
    }
    fit.samples = moments.n;
    const auto direction =
        moments.readout().to(at::kFloat).view(weight->value.sizes()).contiguous();

    const double gammas[] = {0, 1.0 / 64, 1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1, 2, 4};
    std::vector<double> losses(std::size(gammas), 0.0);
    for (int b = 0; b < kHeldOutBatches; ++b) {
        ESPER_CHECK_STATUS(draw());
        const auto inputs = as_tensors(batch, dataset.info());
        for (std::size_t i = 0; i < std::size(gammas); ++i) {
            auto target = weight->value;
            target.copy_(direction * gammas[i]);
            ESPER_TRY(auto seen, engine.evaluate(blended, store, inputs));
            losses[i] += seen.losses.mean().item<double>() / kHeldOutBatches;
            fit.evaluation_examples += request.batch_size;
        }
    }
    std::size_t best = 0;
    for (std::size_t i = 1; i < losses.size(); ++i)
        if (losses[i] < losses[best]) best = i;
    fit.gamma = gammas[best];
    fit.loss_without = losses[0];
    fit.loss_with = losses[best];
    fit.weight = direction * fit.gamma;
    return fit;
}

}  // namespace esper::tolaria
