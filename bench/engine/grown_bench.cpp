// A training step of a network grown by seeds that are folded in, compared with the same network
// built by hand (static_networks.h). They may differ only by one parameter block per seed.

#include <ATen/Parallel.h>

#include <memory>

#include "bench_report.h"
#include "engine_cases.h"
#include "esper/blueprints/catalogue.h"
#include "esper/program/anchor_types.h"
#include "esper/program/cost/cost.h"
#include "esper/program/edits/edits.h"
#include "rounds.h"
#include "static_networks.h"

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
        // The branch and one addition, as in a network written by hand.
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
    return std::make_unique<bench::Training>(bench::static_network(g.what.host, spec, g.blueprint),
                                             spec, g.what);
}

/// Checks that both are the same network: as many parameters and as many FLOPs.
void check_same(const Growth& g) {
    const auto ours = grown(g);
    const auto peer = built(g);
    const auto flops = [](const ProgramPtr& program) {
        return value_or_throw(esper::graph::count_cost(*program)).training_flops;
    };
    if (ours->program()->parameter_count() != peer->program()->parameter_count() ||
        flops(ours->program()) != flops(peer->program()))
        throw std::runtime_error(fmt::format(
            "{} + {}: what grew has {} parameters and {} FLOPs, the static network {} and {}",
            g.what.host, g.blueprint, ours->program()->parameter_count(), flops(ours->program()),
            peer->program()->parameter_count(), flops(peer->program())));
}

}  // namespace

int main(int argc, char** argv) {
    at::set_num_threads(static_cast<int>(std::thread::hardware_concurrency()));
    bench::Report report("grown");
    const std::vector<Growth> cases{{{"mlp", 128}, "bottleneck_mlp"},
                                    {{"resnet8", 32}, "conv_block_3x3"},
                                    {{"resnet8", 32, true}, "conv_block_3x3"},
                                    {{"gpt", 8}, "transformer_block"}};
    for (const Growth& g : cases) check_same(g);
    for (const Growth& g : cases) {
        auto samples = bench::fresh_pairs(
            30, 25, [&] { return grown(g); }, [&] { return built(g); });
        for (auto* side : {&samples.ours, &samples.peer})
            for (double& t : *side) t *= 1e-3;
        report.add_pairs(fmt::format("{} + {}, batch {}, {}", g.what.host, g.blueprint,
                                     g.what.batch, g.what.bf16 ? "bf16" : "fp32"),
                         "us/step", samples, "built by hand");
    }
    return report.finish(argc, argv);
}
