#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "esper/blueprints/catalogue.h"
#include "esper/cli/soak.h"
#include "esper/core/hosts/host.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "esper/program/shapes.h"

namespace esper::cli {

namespace {

using execution::KasminaLayer;
using enum contracts::SeedState;

constexpr std::uint64_t kLivesPerHost = 1024;
constexpr std::uint64_t kLivesPerSave = 64;

/// A host, its tensors and its seeds.
struct House {
    explicit House(const graph::ProgramPtr& host)
        : store({.seed = 1}), layer(host, anchors_of(*host), store) {}

    static std::vector<std::string> anchors_of(const graph::Program& host) {
        std::vector<std::string> names;
        for (const auto& anchor : host.anchors()) names.push_back(anchor.name);
        return names;
    }

    graph::TensorStore store;
    KasminaLayer layer;
};

class Soak {
  public:
    Soak() {
        host_ = value_or_throw(
            core::make_host({.kind = "mlp", .depth = 3, .width = 8, .classes = 4, .features = 8}));
        const auto types = value_or_throw(graph::infer_types(*host_));
        for (const auto& anchor : host_->anchors()) {
            auto type = types[anchor.value.value()];
            type.shape[0] = -1;
            auto& fitting = blueprints_.emplace_back();
            for (const auto& name : blueprints::blueprint_names(anchor.kind)) {
                fitting.push_back(value_or_throw(blueprints::make_blueprint(name, anchor, type)));
            }
        }
    }

    Status run(const SoakLap& lap) {
        for (std::uint64_t i = 0; i < lap.operations; ++i) {
            const std::uint64_t life = lap.from + i;
            if (house_ == nullptr || life % kLivesPerHost == 0) ESPER_CHECK_STATUS(move_in());
            ESPER_CHECK_STATUS(live(life));
            if (life % kLivesPerSave == 0) ESPER_CHECK_STATUS(save_and_restore());
        }
        return {};
    }

  private:
    Status move_in() {
        house_ = std::make_unique<House>(host_);
        return house_->store.add(*host_, "host");
    }

    Status live(std::uint64_t life) {
        KasminaLayer& layer = house_->layer;
        const auto slot = static_cast<std::uint32_t>(life % blueprints_.size());
        const auto& fitting = blueprints_[slot];
        const auto& blueprint = fitting[life / blueprints_.size() % fitting.size()];
        const execution::Moment now{static_cast<std::int64_t>(life),
                                    static_cast<std::uint32_t>(life)};
        ESPER_CHECK_STATUS(layer.germinate(slot, blueprint.name, blueprint.program,
                                           blueprint.has_parameters, now, "soak"));
        ESPER_CHECK_STATUS(layer.graft(slot, contracts::GraftingStrategy::kLinear, 2, now, "soak"));
        ESPER_CHECK_STATUS(layer.tick(1.0));
        ESPER_CHECK_STATUS(layer.tick(0.9));
        if (life % 4 == 3) {
            ESPER_CHECK_STATUS(layer.fault(slot, 0, now, "soak"));
        } else {
            ESPER_CHECK_STATUS(layer.advance(slot, kStabilization, now));
            ESPER_CHECK_STATUS(layer.advance(slot, kEvaluating, now));
            if (life % kLivesPerHost == kLivesPerHost - 2) {
                return layer.fossilize(slot, now, "soak");
            }
            ESPER_CHECK_STATUS(layer.cull(slot, 0, now, "soak"));
        }
        return layer.wake(slot, now);
    }

    /// What a checkpoint does with the seeds.
    Status save_and_restore() {
        const auto saved = house_->layer.to_json();
        return house_->layer.restore(saved, house_->layer.program());
    }

    graph::ProgramPtr host_;
    std::vector<std::vector<blueprints::Blueprint>> blueprints_;  // by slot
    std::unique_ptr<House> house_;
};

}  // namespace

SoakWork soak_lives() {
    const auto soak = std::make_shared<Soak>();
    return [soak](const SoakLap& lap) { return soak->run(lap); };
}

}  // namespace esper::cli
