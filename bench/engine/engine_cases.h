#pragma once
// The cases of the engine's benchmarks: a host, its tensors, one batch and the trainer's step.

#include <ATen/core/Tensor.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <string>
#include <vector>

#include "esper/core/hosts/host.h"
#include "esper/services/tolaria/learn/engine.h"
#include "esper/services/tolaria/learn/optimizer.h"

namespace bench {

struct Case {
    std::string host;  ///< a name of spec_of()
    std::int64_t batch = 16;
    bool bf16 = false;
};

inline esper::core::HostSpec spec_of(const std::string& host) {
    if (host == "mlp") return {.kind = "mlp", .depth = 4, .width = 64, .features = 64};
    if (host == "resnet8") return {.kind = "resnet", .depth = 8, .width = 16};
    if (host == "resnet20") return {.kind = "resnet", .depth = 20, .width = 16};
    if (host == "gpt")
        return {.kind = "gpt", .depth = 2, .width = 128, .classes = 65, .heads = 4, .context = 128};
    if (host == "vgg11") return {.kind = "vgg", .depth = 11, .width = 32, .batch_norm = true};
    throw std::invalid_argument("no case " + host);
}

inline std::vector<at::Tensor> batch_of(const esper::core::HostSpec& spec, std::int64_t n) {
    if (spec.kind == "gpt")
        return {at::randint(0, spec.classes, {n, spec.context}, at::kLong),
                at::randint(0, spec.classes, {n, spec.context}, at::kLong)};
    auto x = spec.kind == "mlp" ? at::randn({n, spec.features})
                                : at::randn({n, spec.channels, spec.image_size, spec.image_size})
                                      .contiguous(at::MemoryFormat::ChannelsLast);
    return {x, at::randint(0, spec.classes, {n}, at::kLong)};
}

/// SGD with Nesterov momentum; AdamW for transformers.
inline esper::configs::OptimizationConfig optimizer_of(const esper::core::HostSpec& spec) {
    esper::configs::OptimizationConfig config;
    config.optimizer = spec.kind == "gpt" || spec.kind == "vit" ? esper::configs::Optimizer::kAdamw
                                                                : esper::configs::Optimizer::kSgd;
    config.weight_decay = 0.01;
    config.clip_norm = 0;
    return config;
}

class Training {
  public:
    static constexpr double kRate = 1e-3;

    explicit Training(const Case& what)
        : Training(esper::value_or_throw(esper::core::make_host(spec_of(what.host))),
                   spec_of(what.host), what) {}
    Training(esper::graph::ProgramPtr program, const esper::core::HostSpec& spec, const Case& what)
        : program_(std::move(program)),
          store_({1, true}),
          batch_(batch_of(spec, what.batch)),
          engine_(
              what.bf16 ? esper::graph::Precision::kBFloat16 : esper::graph::Precision::kFloat32,
              0.0),
          optimizer_(optimizer_of(spec)) {
        if (auto added = store_.add(*program_, "host"); !added)
            throw esper::EsperException(added.error());
    }

    double step() {
        auto result = esper::value_or_throw(engine_.train(program_, store_, batch_));
        optimizer_.step(
            store_, kRate, [](const std::string&) { return esper::tolaria::BlockSettings{}; },
            program_);
        return result.loss;
    }

    std::string profile() {
        return esper::value_or_throw(engine_.training_program(program_, store_, batch_))
            ->profile(batch_, 20);
    }
    std::string list() {
        return esper::value_or_throw(engine_.training_program(program_, store_, batch_))->listing();
    }

    esper::graph::TensorStore& store() { return store_; }
    const std::vector<at::Tensor>& batch() const { return batch_; }
    const esper::graph::ProgramPtr& program() const { return program_; }
    void replace(esper::graph::ProgramPtr program) { program_ = std::move(program); }

  private:
    esper::graph::ProgramPtr program_;
    esper::graph::TensorStore store_;
    std::vector<at::Tensor> batch_;
    esper::tolaria::Engine engine_;
    esper::tolaria::Optimizer optimizer_;
};

}  // namespace bench
