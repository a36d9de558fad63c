// A wrapped model whose seeds all sleep against the same model not wrapped: a training step of the
// engine, with all that the trainer asks of its seeds in a step.

#include <ATen/Parallel.h>

#include <memory>

#include "bench_report.h"
#include "engine_cases.h"
#include "esper/core/model_wrapper.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "rounds.h"

namespace {

class Wrapped {
  public:
    explicit Wrapped(const bench::Case& what)
        : training_(what),
          model_(esper::value_or_throw(esper::core::wrap(training_.program()))),
          seeds_(model_.program, anchors(), training_.store()) {
        training_.replace(model_.program);
    }
    void step() {
        const double loss = training_.step();
        if (auto ticked = seeds_.tick(loss); !ticked) throw esper::EsperException(ticked.error());
        for (const auto& block : training_.store().blocks())
            bench::keep(seeds_.treatment(block->name));
    }

  private:
    std::vector<std::string> anchors() const {
        std::vector<std::string> names;
        for (const auto& slot : model_.slots) names.push_back(model_.anchor_of(slot).name);
        return names;
    }
    bench::Training training_;
    esper::core::WrappedModel model_;
    esper::execution::KasminaLayer seeds_;
};

}  // namespace

int main(int argc, char** argv) {
    at::set_num_threads(static_cast<int>(std::thread::hardware_concurrency()));
    bench::Report report("dormant");
    for (const bench::Case& what : {bench::Case{"mlp", 16}, bench::Case{"resnet8", 32},
                                    bench::Case{"resnet8", 32, true}, bench::Case{"gpt", 8}}) {
        auto samples = bench::fresh_pairs(
            40, 25, [&] { return std::make_unique<Wrapped>(what); },
            [&] { return std::make_unique<bench::Training>(what); });
        for (auto* side : {&samples.ours, &samples.peer})
            for (double& t : *side) t *= 1e-3;
        report.add_pairs(
            fmt::format("{}, batch {}, {}", what.host, what.batch, what.bf16 ? "bf16" : "fp32"),
            "us/step", samples, "not wrapped");
    }
    return report.finish(argc, argv);
}
