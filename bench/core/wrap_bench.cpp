// Finding the places for seeds in a large model: the goal is 20 ms at 10,000 anchors.

#include <chrono>
#include <string>
#include <vector>

#include "bench_report.h"
#include "esper/core/model_wrapper.h"
#include "esper/program/layers.h"

namespace {

using esper::graph::ProgramPtr;

ProgramPtr deep_model(int blocks) {
    esper::graph::ProgramBuilder b("deep");
    auto h = b.input("x", {esper::graph::DType::kFloat32, {-1, 4096}});
    for (int i = 0; i < blocks; ++i) {
        const auto name = "model.layers." + std::to_string(i) + ".mlp";
        // 168 billion parameters are declared, none is allocated.
        h = esper::graph::linear(b, name, h, {4096, 4096, false}, esper::graph::normal(0.02));
        b.anchor(name, esper::graph::AnchorKind::kVector, h, 4096);
    }
    b.output("logits", h);
    return esper::value_or_throw(b.finish());
}

std::vector<double> wrap_times(const ProgramPtr& program, const esper::core::WrapOptions& options) {
    std::vector<double> milliseconds;
    for (int i = 0; i < 50; ++i) {
        const auto start = std::chrono::steady_clock::now();
        auto model = esper::core::wrap(program, options);
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - start;
        if (!model) throw esper::EsperException(model.error());
        milliseconds.push_back(took.count());
    }
    return milliseconds;
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("wrap");
    auto program = deep_model(10'000);
    report.add_goal("10,000 anchors, all", "ms", wrap_times(program, {}), 20);
    report.add_goal("10,000 anchors, by globs", "ms",
                    wrap_times(program, {.anchors = {"model.layers.*.mlp", "!**.99??.mlp"}}), 20);
    report.add_goal("10,000 anchors, 4 seeds each", "ms",
                    wrap_times(program, {.seeds_per_anchor = 4}), 20);
    return report.finish(argc, argv);
}
