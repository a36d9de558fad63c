#pragma once

#include <ATen/Parallel.h>

#include <memory>
#include <string>
#include <vector>

#include "esper/configs/config.h"
#include "esper/services/tolaria/data/prefetching_loader.h"
#include "esper/services/tolaria/host/setup.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/engine.h"
#include "esper/services/tolaria/learn/evaluation.h"
#include "esper/services/tolaria/learn/optimizer.h"
#include "esper/services/tolaria/learn/schedule.h"

namespace esper::testing {

/// What someone would write to train a host who has never heard of seeds: batches, the engine's
/// step, the optimizer's step, a validation after each epoch. No run folder, no checkpoints, no
/// controller. The peer of a run whose seeds all sleep.
class PlainLoop {
  public:
    /// `config.run.precision` must not be `auto`, and `config.run.threads` not 0.
    explicit PlainLoop(const configs::EsperConfig& config)
        : data_(value_or_throw(tolaria::open_data(config))),
          host_(value_or_throw(tolaria::make_host(config, data_->info()))),
          store_({config.run.seed, true}),
          engine_(config.run.precision == configs::Precision::kBf16 ? graph::Precision::kBFloat16
                                                                    : graph::Precision::kFloat32,
                  config.optimization.label_smoothing),
          optimizer_(config.optimization),
          length_(tolaria::run_length(config, *data_)),
          schedule_(tolaria::schedule_of(config, length_)),
          batch_size_(static_cast<std::uint32_t>(config.data.batch_size)),
          loader_(data_, tolaria::Part::kTrain,
                  tolaria::BatchPlan::shuffled(tolaria::train_examples(config, *data_), batch_size_,
                                               config.run.seed),
                  {.variation_seed = config.run.seed,
                   .end_step = static_cast<std::uint64_t>(length_.total_steps)}) {
        at::set_num_threads(config.run.threads);
        if (auto added = store_.add(*host_, "host"); !added) throw EsperException(added.error());
    }

    /// One training step; its loss.
    double step() {
        const auto* made = value_or_throw(loader_.next());
        const auto batch = tolaria::as_tensors(*made, data_->info());
        const double loss = value_or_throw(engine_.train(host_, store_, batch)).loss;
        optimizer_.step(
            store_, tolaria::learning_rate(schedule_, static_cast<std::uint64_t>(step_)),
            [](const std::string&) { return tolaria::BlockSettings{}; }, host_);
        ++step_;
        return loss;
    }
    tolaria::Evaluation validate() {
        return value_or_throw(tolaria::evaluate_part(engine_, host_, store_, *data_,
                                                     tolaria::Part::kValidation, batch_size_));
    }

    struct Epoch {
        double train_loss = 0;
        double validation_loss = 0;
    };
    /// Trains to the end.
    std::vector<Epoch> run() {
        std::vector<Epoch> epochs;
        double sum = 0;
        while (step_ < length_.total_steps) {
            sum += step();
            if (step_ % length_.steps_per_epoch != 0) continue;
            epochs.push_back({sum / static_cast<double>(length_.steps_per_epoch), validate().loss});
            sum = 0;
        }
        return epochs;
    }

    std::int64_t steps_done() const { return step_; }
    const tolaria::RunLength& length() const { return length_; }
    const graph::TensorStore& store() const { return store_; }

  private:
    std::shared_ptr<const tolaria::Dataset> data_;
    graph::ProgramPtr host_;
    graph::TensorStore store_;
    tolaria::Engine engine_;
    tolaria::Optimizer optimizer_;
    tolaria::RunLength length_;
    tolaria::LearningRateSchedule schedule_;
    std::uint32_t batch_size_;
    tolaria::PrefetchingLoader loader_;
    std::int64_t step_ = 0;
};

}  // namespace esper::testing
