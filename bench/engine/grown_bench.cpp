// A network grown by seeds, folded, against the same network built statically: a whole training
// step. Growing leaves a parameter block per seed; nothing else may be left of it.

#include <ATen/Parallel.h>

#include <memory>

#include "bench_report.h"
#include "engine_cases.h"
#include "esper/blueprints/catalogue.h"
#include "esper/program/anchor_types.h"
#include "esper/program/edits/edits.h"
#include "rounds.h"

namespace {

using esper::value_or_throw;
using esper::graph::ProgramPtr;

struct Growth {
    bench::Case what;
    std::string blueprint;
};

/// The host with the blueprint at every anchor, after each seed's insertion and folding.
std::vector<ProgramPtr> grow(const ProgramPtr& host, const std::string& blueprint) {
    const auto types = value_or_throw(esper::graph::anchor_types(*host));
    std::vector<ProgramPtr> stages;
    auto program = host;
    for (std::size_t i = 0; i < host->anchors().size(); ++i) {
        const auto seed = "s" + std::to_string(i + 1);
        const auto& anchor = host->anchors()[i];
        const auto made =
            value_or_throw(esper::blueprints::make_blueprint(blueprint, anchor, types[i]));
        const auto before = program->instructions().size();
        program = value_or_throw(esper::graph::apply(
            *program, esper::graph::InsertSeed{seed, anchor.name, blueprint, made.program}));
        program = value_or_throw(esper::graph::apply(
            *program, esper::graph::SetSeedMode{seed, esper::graph::SeedMode::kFolded}));
        // The branch and one addition: what anyone would have written by hand.
        if (program->instructions().size() != before + made.program->instructions().size() + 1)
            throw std::runtime_error("a folded seed left more than its branch behind");
        stages.push_back(program);
    }
    return stages;
}

std::unique_ptr<bench::Training> grown(const Growth& g) {
    auto training = std::make_unique<bench::Training>(g.what);
    int seed = 0;
    for (const auto& stage : grow(training->program(), g.blueprint)) {
        const auto block = "seed.s" + std::to_string(++seed);
        if (auto added = training->store().add(*stage, block); !added)
            throw esper::EsperException(added.error());
        training->replace(stage);
    }
    return training;
}

std::unique_ptr<bench::Training> built(const Growth& g) {
    const auto spec = bench::spec_of(g.what.host);
    auto host = value_or_throw(esper::core::make_host(spec));
    return std::make_unique<bench::Training>(grow(host, g.blueprint).back(), spec, g.what);
}

}  // namespace

int main(int argc, char** argv) {
    at::set_num_threads(static_cast<int>(std::thread::hardware_concurrency()));
    bench::Report report("grown");
    for (const Growth& g :
         {Growth{{"mlp", 128}, "bottleneck_mlp"}, Growth{{"resnet8", 32}, "conv_block_3x3"},
          Growth{{"resnet8", 32, true}, "conv_block_3x3"},
          Growth{{"gpt", 8}, "transformer_block"}}) {
        auto samples = bench::fresh_pairs(
            30, 25, [&] { return grown(g); }, [&] { return built(g); });
        for (auto* side : {&samples.ours, &samples.peer})
            for (double& t : *side) t *= 1e-3;
        report.add_pairs(fmt::format("{} + {}, batch {}, {}", g.what.host, g.blueprint,
                                     g.what.batch, g.what.bf16 ? "bf16" : "fp32"),
                         "us/step", samples, "built statically");
    }
    return report.finish(argc, argv);
}
