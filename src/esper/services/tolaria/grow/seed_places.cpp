#include "esper/services/tolaria/grow/seed_places.h"

#include "esper/program/shapes.h"
#include "esper/services/tolaria/host/setup.h"

namespace esper::tolaria {

Result<std::unique_ptr<SeedPlaces>> SeedPlaces::find(const configs::GrowthConfig& growth,
                                                     const graph::ProgramPtr& host,
                                                     graph::TensorStore& store) {
    ESPER_TRY(const auto wrapped, growth_places(growth, host));
    std::vector<std::string> anchors;
    std::vector<blueprints::Chunk> chunks;
    for (const auto& slot : wrapped.slots) {
        anchors.push_back(wrapped.anchor_of(slot).name);
        chunks.push_back({slot.first_feature, slot.first_feature + slot.features});
    }
    return std::unique_ptr<SeedPlaces>(
        new SeedPlaces(host, std::move(anchors), std::move(chunks), store));
}

Result<blueprints::Blueprint> SeedPlaces::blueprint_for(std::uint32_t slot,
                                                        const std::string& name) const {
    const auto* anchor = program()->find_anchor(slots()[slot].anchor);
    ESPER_TRY(auto types, graph::infer_types(*program()));
    return blueprint_of(types[anchor->value.value()], slot, name);
}

Result<blueprints::Blueprint> SeedPlaces::blueprint_of(graph::TensorType type, std::uint32_t slot,
                                                       const std::string& name) const {
    const auto* anchor = program()->find_anchor(slots()[slot].anchor);
    if (!type.shape.empty()) type.shape[0] = -1;
    return blueprints::make_blueprint(name, *anchor, type, chunk(slot));
}

}  // namespace esper::tolaria
