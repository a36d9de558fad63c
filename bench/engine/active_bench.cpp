// The cost of awake seeds: what each adds to a forward pass of the host in training mode, in each
// of its states (the floor is 10 ms), with what it adds to a whole training step beside it; and,
// for seeds that are blended in or kept, the step compared with that of the same network built by
// hand. The step is the trainer's: engine, optimizer with the seeds' own learning rate, the ramp's
// tick. A shadow's second pass is no part of the forward pass: it stands in what a step adds,
// printed.

#include <ATen/Parallel.h>

#include <memory>
#include <set>

#include "bench_report.h"
#include "engine_cases.h"
#include "esper/blueprints/catalogue.h"
#include "esper/configs/config.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "esper/program/anchor_types.h"
#include "esper/services/tolaria/learn/block_settings.h"
#include "rounds.h"
#include "static_networks.h"

namespace {

using esper::value_or_throw;
using esper::contracts::SeedState;

struct What {
    bench::Case host;
    std::string blueprint;
};
struct Stage {
    std::string name;
    SeedState state;
    esper::configs::Isolation isolation = esper::configs::Isolation::kStraightThrough;
};

void check(const esper::Status& status) {
    if (!status) throw esper::EsperException(status.error());
}

/// A host with a seed at each anchor, all in one state.
class Awake {
  public:
    Awake(const What& what, const Stage& stage)
        : spec_(bench::spec_of(what.host.host)),
          store_({1, true}),
          batch_(bench::batch_of(spec_, what.host.batch)),
          engine_(what.host.bf16 ? esper::graph::Precision::kBFloat16
                                 : esper::graph::Precision::kFloat32,
                  0.0, stage.isolation),
          optimizer_(bench::optimizer_of(spec_)) {
        const auto host = value_or_throw(esper::core::make_host(spec_));
        check(store_.add(*host, "host"));
        const auto types = value_or_throw(esper::graph::anchor_types(*host));
        std::vector<std::string> anchors;
        for (const auto& anchor : host->anchors()) anchors.push_back(anchor.name);
        seeds_.emplace(host, anchors, store_);
        for (std::uint32_t slot = 0; slot < anchors.size(); ++slot)
            wake(slot,
                 value_or_throw(esper::blueprints::make_blueprint(
                     what.blueprint, host->anchors()[slot], types[slot])),
                 stage.state);
    }

    void step() {
        const double loss = value_or_throw(engine_.train(seeds_->program(), store_, batch_)).loss;
        const auto settings = [this](const std::string& block) {
            const auto age = optimizer_.state().find(block);
            return esper::tolaria::block_settings(
                config_, seeds_->treatment(block),
                age == optimizer_.state().end() ? 0 : age->second.steps);
        };
        optimizer_.step(store_, bench::Training::kRate, settings, seeds_->program());
        check(seeds_->tick(loss));
    }
    std::size_t seeds() const { return seeds_->slots().size(); }
    esper::graph::TensorStore& store() { return store_; }
    const std::vector<at::Tensor>& batch() const { return batch_; }
    const esper::graph::ProgramPtr& program() const { return seeds_->program(); }

  private:
    // A ramp longer than any measurement stays a ramp.
    static constexpr std::int64_t kLongRamp = 1'000'000'000;

    void wake(std::uint32_t slot, const esper::blueprints::Blueprint& made, SeedState state) {
        using enum SeedState;
        check(seeds_->germinate(slot, made.name, made.program, made.has_parameters, {}, "bench"));
        if (state == kTraining) return;
        check(seeds_->graft(slot, esper::contracts::GraftingStrategy::kLinear,
                            state == kGrafting ? kLongRamp : 1, {}, "bench"));
        check(seeds_->tick(1.0));
        if (state == kGrafting) return;
        check(seeds_->tick(1.0));
        for (const auto next : {kStabilization, kEvaluating}) {
            check(seeds_->advance(slot, next, {}));
            if (state == next) return;
        }
        if (state == kFineTuning) return check(seeds_->advance(slot, kFineTuning, {}));
        check(seeds_->fossilize(slot, {}, "bench"));
    }

    esper::core::HostSpec spec_;
    esper::configs::EsperConfig config_;
    esper::graph::TensorStore store_;
    std::vector<at::Tensor> batch_;
    esper::tolaria::Engine engine_;
    esper::tolaria::Optimizer optimizer_;
    std::optional<esper::execution::KasminaLayer> seeds_;
};

/// Results that nothing in the Program reads: those of seeds that the host does not hear yet.
std::vector<esper::graph::ValueId> unread(const esper::graph::Program& program) {
    std::set<esper::graph::ValueId> results;
    for (const auto& instruction : program.instructions())
        for (const auto id : instruction.results) results.insert(id);
    for (const auto& instruction : program.instructions())
        for (const auto& argument : instruction.args)
            esper::graph::for_each_value(argument,
                                         [&](esper::graph::ValueId id) { results.erase(id); });
    for (const auto& output : program.outputs()) results.erase(output.value);
    return {results.begin(), results.end()};
}

/// The forward passes of a training in training mode, seeds in isolation included.
template <typename Of>
class Forward {
  public:
    Forward(std::unique_ptr<Of> of, bool bf16)
        : of_(std::move(of)),
          inputs_(of_->batch().begin(), of_->batch().end() - 1),
          pass_(value_or_throw(
              esper::graph::JointProgram::record(spec(*of_, bf16), of_->store(), inputs_))) {}
    void step() { bench::keep(value_or_throw(pass_.run(inputs_))); }

  private:
    static esper::graph::JointSpec spec(const Of& of, bool bf16) {
        esper::graph::JointSpec made;
        made.program = of.program();
        if (bf16) made.precision = esper::graph::Precision::kBFloat16;
        made.taps = unread(*of.program());
        made.rewrites = esper::graph::Rewrites::kFast;
        return made;
    }
    std::unique_ptr<Of> of_;
    std::vector<at::Tensor> inputs_;
    esper::graph::JointProgram pass_;
};

/// What each of the seeds adds, pair by pair; at least a nanosecond, so that ratios are finite.
std::vector<double> added(const bench::Samples& s, double seeds) {
    std::vector<double> us;
    for (std::size_t i = 0; i < s.ours.size(); ++i)
        us.push_back(std::max((s.ours[i] - s.peer[i]) / seeds, 1e-3));
    return us;
}

void in_us(bench::Samples& samples) {
    for (auto* side : {&samples.ours, &samples.peer})
        for (double& t : *side) t *= 1e-3;
}

void measure(bench::Report& report, const What& what) {
    constexpr int kPairs = 20;
    constexpr double kSeconds = 8;
    const auto name = fmt::format("{} + {}, batch {}, {}", what.host.host, what.blueprint,
                                  what.host.batch, what.host.bf16 ? "bf16" : "fp32");
    using esper::configs::Isolation;
    for (const Stage& stage :
         {Stage{"isolated, straight through", SeedState::kTraining},
          Stage{"isolated, in a shadow", SeedState::kTraining, Isolation::kShadow},
          Stage{"ramping", SeedState::kGrafting}, Stage{"stabilizing", SeedState::kStabilization},
          Stage{"evaluating", SeedState::kEvaluating}, Stage{"fine-tuning", SeedState::kFineTuning},
          Stage{"kept", SeedState::kFossilized}}) {
        auto host = bench::fresh_pairs(
            kPairs, kSeconds, [&] { return std::make_unique<Awake>(what, stage); },
            [&] { return std::make_unique<bench::Training>(what.host); });
        in_us(host);
        auto forward = bench::fresh_pairs(
            kPairs, kSeconds / 4,
            [&] {
                return std::make_unique<Forward<Awake>>(std::make_unique<Awake>(what, stage),
                                                        what.host.bf16);
            },
            [&] {
                return std::make_unique<Forward<bench::Training>>(
                    std::make_unique<bench::Training>(what.host), what.host.bf16);
            });
        in_us(forward);
        const auto seeds = static_cast<double>(Awake(what, stage).seeds());
        const auto by_seed = added(forward, seeds);
        fmt::print(stderr,
                   "{}: {}: each of {} seeds adds {:.0f} us to a forward pass of {:.0f} us and "
                   "{:.0f} us to a step of {:.0f} us\n",
                   name, stage.name, seeds, bench::median(by_seed), bench::median(forward.peer),
                   bench::median(added(host, seeds)), bench::median(host.peer));
        report.add_goal(fmt::format("{}: {}, what a seed adds to a forward pass", name, stage.name),
                        "us", by_seed, 10'000);
        if (stage.state == SeedState::kTraining) continue;
        auto network = bench::fresh_pairs(
            kPairs, kSeconds, [&] { return std::make_unique<Awake>(what, stage); },
            [&] {
                const auto spec = bench::spec_of(what.host.host);
                return std::make_unique<bench::Training>(
                    bench::static_network(what.host.host, spec, what.blueprint), spec, what.host);
            });
        in_us(network);
        report.add_pairs(
            fmt::format("{}: blended ({}) against the static network", name, stage.name), "us/step",
            network, "built by hand");
    }
}

}  // namespace

int main(int argc, char** argv) {
    at::set_num_threads(static_cast<int>(std::thread::hardware_concurrency()));
    bench::Report report("active");
    const What all[] = {{{"mlp", 128}, "bottleneck_mlp"},
                        {{"resnet8", 32}, "conv_block_3x3"},
                        {{"gpt", 8}, "transformer_block"}};
    for (const What& what : all) measure(report, what);
    return report.finish(argc, argv);
}
