#include "esper/services/tolaria/adapt/adapted_program.h"

#include <algorithm>

#include "esper/blueprints/adapter.h"
#include "esper/core/foreign_host.h"
#include "esper/program/anchor_types.h"
#include "esper/program/edits/edits.h"
#include "esper/program/shapes.h"

namespace esper::tolaria {

namespace {

constexpr std::int64_t kWidest = 8;  // hidden units a feature
constexpr std::int64_t kStep = 8;    // widths are multiples of it

Result<graph::ProgramPtr> add(const graph::Program& host, const AdapterPart& part,
                              const std::string& seed) {
    const auto* anchor = host.find_anchor(part.anchor);
    if (anchor == nullptr)
        return fail(graph::GraphError::kUnknownName,
                    "the network has no anchor '" + part.anchor + "'");
    ESPER_TRY(const auto types, graph::anchor_types(host));
    const auto& type = types[static_cast<std::size_t>(anchor - host.anchors().data())];
    ESPER_TRY(const auto made, blueprints::make_adapter(part.blueprint, *anchor, type, part.width));
    ESPER_TRY(const auto isolated,
              graph::apply(host, graph::InsertSeed{seed, part.anchor, made.name, made.program}));
    return graph::apply(*isolated, graph::SetSeedMode{seed, graph::SeedMode::kFolded});
}

}  // namespace

std::int64_t AdapterPart::parameters() const {
    return blueprints::adapter_parameters(blueprint, kind, features, width);
}

Result<graph::ProgramPtr> frozen(const graph::Program& host) {
    auto parts = host.parts();
    for (auto& p : parts.parameters) p.trainable = false;
    for (auto& instruction : parts.instructions)
        for (auto& argument : instruction.args)
            if (auto* constant = std::get_if<graph::Constant>(&argument);
                constant != nullptr && std::holds_alternative<graph::TrainingFlag>(*constant))
                *constant = false;
    return graph::Program::make(std::move(parts));
}

Result<graph::ProgramPtr> with_adapter(const graph::Program& host, const AdapterPart& part) {
    return add(host, part, kAdapterSeed);
}

Result<std::int64_t> output_count(const graph::Program& host) {
    ESPER_TRY(const auto types, graph::infer_types(host, 1));
    return types[host.outputs().front().value.value()].shape.back();
}

std::int64_t width_for(const AdapterPart& part, std::int64_t parameters) {
    auto one = part;
    one.width = 1;
    const auto width = std::min(parameters / one.parameters(), kWidest * part.features);
    return width < kStep ? width : width - width % kStep;
}

Result<graph::ProgramPtr> program_of(const AdapterPart& part) {
    std::vector<std::int64_t> shape{-1, part.features};
    if (part.kind == graph::AnchorKind::kTokens) shape = {-1, 1, part.features};
    if (part.kind == graph::AnchorKind::kImage) shape = {-1, part.features, 1, 1};
    ESPER_TRY(const auto host, core::foreign_host("host", {{part.anchor, part.kind, shape}}));
    return add(*host, part, "part1");
}

}  // namespace esper::tolaria
