// What the gates of the default run promise, on differences of real seeds: how often a useless seed
// is kept, how often one that saves 0.01 nat, and what all measuring costs.
//
// The default run is trained from five initialisations to the first look at its first seed. There
// the loss of each example outside the training part is taken with and without the seed, at the α
// at which the seed saves 0.01 nat of them on the mean: real differences with a known effect. The
// same differences less their mean are a seed that is of no use. Of each kind 2,000 lives are
// walked as a run walks them: three looks, each at as many examples as the probe part has, drawn
// anew for each life. The rest of each run says what measuring cost.

#include <fmt/format.h>

#include <numeric>

#include "bench_report.h"
#include "esper/base/random.h"
#include "esper/configs/load.h"
#include "esper/program/edits/edits.h"
#include "esper/program/edits/seed_names.h"
#include "esper/services/tamiyo/gate.h"
#include "esper/services/tolaria/host/setup.h"
#include "tolaria/small_runs.h"

namespace {

using namespace esper;
using namespace esper::tolaria;

constexpr double kEffect = 0.01;  // nat
constexpr int kLives = 2000;
constexpr int kSeeds = 5;
constexpr std::uint64_t kFirstSeed = 20;

configs::EsperConfig default_run(std::uint64_t seed) {
    const auto root = std::filesystem::path(ESPER_SOURCE_DIR);
    auto config =
        value_or_throw(configs::load_config({.path = root / "configs" / "shakespeare.yaml"}));
    config.data.path = (root / "data" / "tinyshakespeare.txt").string();
    config.run.seed = seed;
    config.run.threads = 1;
    config.run.precision = configs::Precision::kFp32;
    config.growth.kernels = false;
    return config;
}

/// Losses of every example outside the training part, with a seed blended in at some α.
class Losses {
  public:
    Losses(Trainer& trainer, const execution::SeedSlot& slot)
        : trainer_(trainer),
          data_(value_or_throw(open_data(trainer.config()))),
          control_(graph::seed_control(slot.seed)),
          blended_(value_or_throw(graph::apply(
              *trainer.program(), graph::SetSeedMode{slot.seed, graph::SeedMode::kBlended}))) {
        check(trainer.store().add(*blended_, graph::seed_scope(slot.seed)));
        without_ = at(0);
    }
    ~Losses() {
        trainer_.store().remove_control(control_);
        trainer_.engine().keep_only({trainer_.program()});
    }
    std::vector<float> saved(double alpha) {
        auto d = without_;
        const auto with = at(alpha);
        for (std::size_t i = 0; i < d.size(); ++i) d[i] -= with[i];
        return d;
    }

  private:
    static void check(const Status& status) {
        if (!status) throw EsperException(status.error());
    }
    std::vector<float> at(double alpha) {
        check(trainer_.store().set_control(control_, alpha));
        std::vector<float> losses;
        for (const auto part : {Part::kProbe, Part::kValidation, Part::kTest}) {
            const auto batch = static_cast<std::uint32_t>(trainer_.config().data.batch_size);
            std::vector<std::uint32_t> all(data_->size(part) / batch * batch);
            std::iota(all.begin(), all.end(), 0U);
            const auto these = value_or_throw(
                losses_of(trainer_.engine(), blended_, trainer_.store(), *data_, part, batch, all));
            losses.insert(losses.end(), these.begin(), these.end());
        }
        return losses;
    }

    Trainer& trainer_;
    std::shared_ptr<const Dataset> data_;
    std::string control_;
    graph::ProgramPtr blended_;
    std::vector<float> without_;
};

double mean_of(const std::vector<float>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The differences at the smallest α that saves the effect; throws where the seed cannot.
std::vector<float> with_effect(Losses& losses) {
    double low = 0, high = 1;
    if (mean_of(losses.saved(high)) < kEffect)
        throw std::runtime_error("the first seed of the run saves less than 0.01 nat at its best");
    for (int i = 0; i < 12; ++i) {
        const double middle = (low + high) / 2;
        (mean_of(losses.saved(middle)) < kEffect ? low : high) = middle;
    }
    return losses.saved(high);
}

/// The share of lives that end with a keep.
double kept(std::span<const float> pool, std::size_t probe, const configs::EsperConfig& config,
            double rent) {
    const auto& gate = config.growth.gate;
    int keeps = 0;
    for (int life = 0; life < kLives; ++life) {
        RandomStream draw(config.run.seed, "gate bench", static_cast<std::uint64_t>(life));
        std::vector<float> d;
        for (std::size_t i = 0; i < std::min(probe, pool.size()); ++i)
            d.push_back(pool[static_cast<std::size_t>(draw.below(pool.size()))]);
        bool keep = true;
        for (std::int64_t number = 1; keep && number <= 3; ++number) {
            const tamiyo::GateSpec spec{
                .n0 = gate.min_examples,
                .rent = rent,
                .delta_k = tamiyo::error_of_look(tamiyo::error_of_seed(gate.delta, 1), number),
                .confirmed_by = number == 3 ? tamiyo::kConfirmedBy : 1};
            std::span<const float> walked;
            while (const auto next = tamiyo::next_round(walked, spec, std::ssize(d)))
                walked = std::span(std::as_const(d)).first(static_cast<std::size_t>(next));
            keep = tamiyo::look(walked, spec).verdict == tamiyo::Verdict::kKeep;
        }
        keeps += keep;
    }
    return static_cast<double>(keeps) / kLives;
}

struct Outcome {
    double false_keeps = 0;
    double power = 0;
    double cost = 0;
};

Outcome run(std::uint64_t seed) {
    Outcome outcome;
    testing_runs::Folder folder("gate");
    auto config = default_run(seed);
    auto trainer = value_or_throw(Trainer::create(config, folder.path));
    std::optional<execution::SeedSlot> slot;
    while (trainer->step() < trainer->length().total_steps) {
        testing_runs::run_one_step(*trainer);
        slot = testing_runs::find_in(*trainer, execution::SeedState::kTraining);
        // Its first look is taken at the end of this epoch.
        if (slot && (trainer->step() + 1) % trainer->length().steps_per_epoch == 0) break;
    }
    if (!slot) throw std::runtime_error(fmt::format("seed {}: nothing germinated", seed));
    {
        Losses losses(*trainer, *slot);
        auto d = with_effect(losses);
        const auto data = value_or_throw(open_data(config));
        const auto probe = data->size(Part::kProbe);
        outcome.power = kept(d, probe, config, 0);
        const auto mean = static_cast<float>(mean_of(d));
        for (float& x : d) x -= mean;
        outcome.false_keeps = kept(d, probe, config, 0);
    }
    trainer->stop_after(trainer->length().total_steps);
    if (value_or_throw(trainer->run()) != RunStatus::kDone)
        throw std::runtime_error(fmt::format("seed {}: the run did not end", seed));
    const auto flops = testing_runs::run_json(folder.path).at("flops");
    double all = 0;
    for (const auto& [what, spent] : flops.items()) all += spent.get<double>();
    for (const auto* what : {"measuring", "shadows", "forks"})
        outcome.cost += flops.at(what).get<double>() / all;
    fmt::print(stderr, "seed {}: {} at {}: false keeps {:.4f}, power {:.4f}, cost {:.4f}\n", seed,
               slot->blueprint, slot->anchor, outcome.false_keeps, outcome.power, outcome.cost);
    return outcome;
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("gate");
    std::vector<double> false_keeps, power, cost;
    for (int i = 0; i < kSeeds; ++i) {
        const auto outcome = run(kFirstSeed + static_cast<std::uint64_t>(i));
        // With so many lives a share below one of them is not told from none.
        false_keeps.push_back(std::max(outcome.false_keeps, 1.0 / kLives));
        power.push_back(outcome.power);
        cost.push_back(outcome.cost);
    }
    report.add_goal("false keeps", "of useless seeds", false_keeps, 0.05);
    report.add_goal("power", "of seeds that save 0.01 nat", power, 0.8, 0.5,
                    bench::Better::kHigher);
    report.add_goal("cost", "of the run's FLOPs", cost, 0.02);
    return report.finish(argc, argv);
}
