// Time to find the places for seeds in a large model. The goal is 20 ms for 10,000 anchors, from
// the model to the list. If a Program declares its anchors, some are selected; any other forward
// pass is first recorded as a Program, in which the anchors are found.

#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>

#include <chrono>
#include <string>
#include <vector>

#include "bench_report.h"
#include "esper/core/model_wrapper.h"
#include "esper/exchange/importers/module_recorder.h"
#include "esper/program/layers.h"

namespace {

using esper::graph::ProgramPtr;

constexpr int kAnchors = 10'000;
constexpr double kGoalMs = 20;

std::string layer_name(int i) { return "model.layers." + std::to_string(i) + ".mlp"; }

ProgramPtr declared_model() {
    esper::graph::ProgramBuilder b("deep");
    auto h = b.input("x", {esper::graph::DType::kFloat32, {-1, 4096}});
    for (int i = 0; i < kAnchors; ++i) {
        // 168 billion parameters are declared, none is allocated.
        h = esper::graph::linear(b, layer_name(i), h, {4096, 4096, false},
                                 esper::graph::normal(0.02));
        b.anchor(layer_name(i), esper::graph::AnchorKind::kVector, h, 4096);
    }
    b.output("logits", h);
    return esper::value_or_throw(b.finish());
}

/// A forward pass without declared anchors: 10,000 small linear layers.
struct UndeclaredModel {
    esper::graph::RecordedForward view;
    std::vector<at::Tensor> example{at::randn({2, 8})};

    UndeclaredModel() {
        std::vector<at::Tensor> weights;
        for (int i = 0; i < kAnchors; ++i) {
            weights.push_back(at::randn({8, 8}));
            view.parameters.emplace_back(layer_name(i) + ".weight", weights.back());
        }
        view.name = "deep";
        view.forward = [weights](const std::vector<at::Tensor>& inputs) {
            auto h = inputs.at(0);
            for (const auto& weight : weights) h = at::linear(h, weight);
            return std::vector<at::Tensor>{h};
        };
    }
};

template <typename F>
double ms_of(const F& f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
}

void wrap_all(const ProgramPtr& program, const esper::core::WrapOptions& options = {}) {
    const auto model = esper::value_or_throw(esper::core::wrap(program, options));
    if (model.anchors == 0) throw std::runtime_error("no anchor was found");
}

void declared(bench::Report& report, const std::string& what, const ProgramPtr& program,
              const esper::core::WrapOptions& options) {
    std::vector<double> times;
    for (int i = 0; i < 50; ++i) times.push_back(ms_of([&] { wrap_all(program, options); }));
    report.add_goal("10,000 anchors, declared: " + what, "ms", times, kGoalMs);
}

void found(bench::Report& report) {
    const UndeclaredModel model;
    bench::Samples samples;
    std::uint32_t anchors = 0;
    for (int i = 0; i < 10; ++i) {
        samples.peer.push_back(ms_of([&] { bench::keep(model.view.forward(model.example)); }));
        samples.ours.push_back(ms_of([&] {
            const auto imported =
                esper::value_or_throw(esper::graph::record_forward(model.view, model.example));
            anchors = esper::value_or_throw(esper::core::wrap(imported.program)).anchors;
        }));
    }
    // An anchor needs a layer behind it: the last one may have none.
    if (anchors < kAnchors - 1) throw std::runtime_error(fmt::format("{} anchors", anchors));
    report.add_goal("10,000 anchors, recorded and found", "ms", samples.ours, kGoalMs);
    report.add_pairs("10,000 layers: recorded, found and wrapped, against one forward pass", "ms",
                     samples, "the forward pass alone");
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("wrap");
    const auto program = declared_model();
    declared(report, "all", program, {});
    declared(report, "by globs", program, {.anchors = {"model.layers.*.mlp", "!**.99??.mlp"}});
    declared(report, "4 seeds each", program, {.seeds_per_anchor = 4});
    found(report);
    return report.finish(argc, argv);
}
