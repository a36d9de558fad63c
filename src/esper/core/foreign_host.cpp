#include "esper/core/foreign_host.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/core/errors.h"
#include "esper/program/builder.h"
#include "esper/program/edits/edits.h"
#include "esper/program/edits/seed_wiring.h"

namespace esper::core {

using namespace graph;

namespace {

struct Layout {
    std::size_t rank;
    std::size_t feature_axis;
};

Layout layout_of(AnchorKind kind) {
    switch (kind) {
        case AnchorKind::kImage:
            return {4, 1};
        case AnchorKind::kTokens:
            return {3, 2};
        case AnchorKind::kVector:
            break;
    }
    return {2, 1};
}

}  // namespace

Result<ProgramPtr> foreign_host(const std::string& name,
                                const std::vector<ForeignAnchor>& anchors) {
    if (anchors.empty())
        return fail(CoreError::kNoAnchor, "the model '" + name + "' has no place for a seed");
    ProgramBuilder b(name);
    for (const auto& anchor : anchors) {
        const auto [rank, axis] = layout_of(anchor.kind);
        if (anchor.shape.size() != rank || anchor.shape[axis] < 1)
            return fail(CoreError::kBadWrap,
                        fmt::format("anchor '{}' is said to carry {}, but has shape {}",
                                    anchor.name, anchor_kind_name(anchor.kind),
                                    to_string(TensorType{DType::kFloat32, anchor.shape})));
        const auto value = b.input(anchor.name, {DType::kFloat32, anchor.shape});
        b.output(anchor.name, value);
        b.anchor(anchor.name, anchor.kind, value, anchor.shape[axis]);
    }
    return b.finish();
}

Result<ProgramPtr> without_isolated(ProgramPtr program, std::string_view also) {
    bool found = also.empty();
    for (const auto& seed : seeds_in(*program)) {
        if (seed.mode != SeedMode::kIsolated) continue;
        const bool heard = seed.seed == also;
        found = found || heard;
        const Edit edit =
            heard ? Edit(SetSeedMode{seed.seed, SeedMode::kBlended}) : Edit(RemoveSeed{seed.seed});
        ESPER_TRY(program, apply(*program, edit));
    }
    if (!found)
        return fail(GraphError::kUnknownName,
                    fmt::format("'{}' is no seed that learns in isolation", std::string(also)));
    return program;
}

Result<ProgramPtr> seeds_at(const Program& host, std::string_view name) {
    const auto* anchor = host.find_anchor(name);
    const auto* input = host.find_input(name);
    const auto* output = host.find_output(name);
    if (anchor == nullptr || input == nullptr || output == nullptr)
        return fail(GraphError::kUnknownName,
                    fmt::format("the model has no anchor '{}'", std::string(name)));
    if (output->value == input->value) return ProgramPtr();

    auto parts = host.parts();
    std::vector<bool> gone(parts.value_count, true);
    gone[output->value.value()] = gone[input->value.value()] = false;
    const auto keep = [&](ValueId id) { gone[id.value()] = false; };
    for (auto it = parts.instructions.rbegin(); it != parts.instructions.rend(); ++it) {
        if (std::none_of(it->results.begin(), it->results.end(),
                         [&](ValueId id) { return !gone[id.value()]; }))
            continue;
        for (auto id : it->results) keep(id);
        for (const auto& argument : it->args) for_each_value(argument, keep);
    }
    std::erase_if(parts.instructions, [&](const Instruction& item) {
        return item.results.empty() || gone[item.results[0].value()];
    });
    std::erase_if(parts.outputs, [&](const Output& item) { return item.name != name; });
    std::erase_if(parts.anchors, [&](const Anchor& item) { return item.name != name; });
    drop_values(parts, gone);
    parts.name = std::string(name);
    parts.outputs[0].name = "y";
    auto& y = parts.inputs[0];
    y.name = "y";
    const auto axis = layout_of(anchor->kind).feature_axis;
    for (std::size_t i = 0; i < y.type.shape.size(); ++i)
        if (i != axis) y.type.shape[i] = -1;
    return Program::make(std::move(parts));
}

}  // namespace esper::core
