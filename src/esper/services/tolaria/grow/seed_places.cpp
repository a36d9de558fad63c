#include "esper/services/tolaria/grow/seed_places.h"

#include <algorithm>
#include <map>

#include "esper/program/shapes.h"
#include "esper/services/tolaria/host/setup.h"
#include "esper/services/tolaria/tolaria_errors.h"

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

Status SeedPlaces::extend(const configs::GrowthConfig& growth, const graph::ProgramPtr& program,
                          const std::vector<std::string>& anchors) {
    ESPER_TRY(const auto wrapped, growth_places(growth, program));
    std::map<std::string, std::vector<blueprints::Chunk>> chunks;
    std::vector<std::string> names;
    for (const auto& slot : wrapped.slots) {
        const auto& anchor = wrapped.anchor_of(slot).name;
        chunks[anchor].push_back({slot.first_feature, slot.first_feature + slot.features});
        names.push_back(anchor);
    }
    std::map<std::string, std::size_t> taken;
    for (const auto& slot : slots()) ++taken[slot.anchor];
    std::vector<std::string> added;
    if (anchors.empty()) {
        auto known = taken;
        for (const auto& name : names)
            if (known[name] > 0)
                --known[name];
            else
                added.push_back(name);
    } else {
        added.assign(
            anchors.begin() + static_cast<std::ptrdiff_t>(std::min(anchors.size(), slots().size())),
            anchors.end());
    }
    for (const auto& name : added) {
        const auto next = taken[name]++;
        if (next >= chunks[name].size())
            return fail(TolariaError::kUnsupported,
                        "the network has no place for a seed at anchor '" + name + "'");
        chunks_.push_back(chunks[name][next]);
    }
    return kasmina_.add_slots(added);
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
