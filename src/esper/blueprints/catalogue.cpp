#include "esper/blueprints/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "esper/base/text.h"
#include "esper/blueprints/branch.h"

namespace esper::blueprints {

#define ESPER_BLUEPRINT(name, sham, ...) graph::ValueId name(Branch& branch);
#include "esper/blueprints/catalogue_entries.h"

namespace {

struct Catalogue {
    std::mutex mutex;
    std::vector<CatalogueEntry> entries{
#define ESPER_BLUEPRINT(name, sham, ...) {#name, {__VA_ARGS__}, &blueprints::name, sham},
#include "esper/blueprints/catalogue_entries.h"
    };
};

Catalogue& catalogue() {
    static Catalogue instance;
    return instance;
}

bool fits(const CatalogueEntry& entry, graph::AnchorKind kind) {
    return std::find(entry.kinds.begin(), entry.kinds.end(), kind) != entry.kinds.end();
}

Result<CatalogueEntry> find_entry(std::string_view name, graph::AnchorKind kind) {
    auto& c = catalogue();
    std::lock_guard lock(c.mutex);
    std::vector<std::string> names;
    for (const auto& entry : c.entries) {
        names.push_back(entry.name);
        if (entry.name != name) continue;
        if (fits(entry, kind)) return entry;
        return fail(BlueprintError::kWrongKind,
                    fmt::format("blueprint {} is not for {} anchors; blueprint_names() lists those "
                                "that are",
                                name, graph::anchor_kind_name(kind)));
    }
    return fail(BlueprintError::kUnknownBlueprint,
                fmt::format("no blueprint {}; known: {}", quote_with_suggestion(name, names),
                            join(names, ", ")));
}

std::size_t feature_dimension(graph::AnchorKind kind) {
    return kind == graph::AnchorKind::kTokens ? 2 : 1;
}

Status check_anchor(const graph::Anchor& anchor, const graph::TensorType& type, Chunk chunk) {
    const std::size_t rank = anchor.kind == graph::AnchorKind::kImage    ? 4
                             : anchor.kind == graph::AnchorKind::kTokens ? 3
                                                                         : 2;
    if (type.shape.size() != rank || anchor.features < 1 ||
        type.shape[feature_dimension(anchor.kind)] != anchor.features)
        return fail(BlueprintError::kBadAnchor,
                    fmt::format("anchor '{}' says {} with {} features, but its value is {}",
                                anchor.name, graph::anchor_kind_name(anchor.kind), anchor.features,
                                graph::to_string(type)));
    if (chunk.begin < 0 || chunk.begin >= chunk.end || chunk.end > anchor.features)
        return fail(BlueprintError::kBadChunk,
                    fmt::format("features {} to {} are not a part of the {} of anchor '{}'",
                                chunk.begin, chunk.end, anchor.features, anchor.name));
    return {};
}

}  // namespace

void register_blueprint(CatalogueEntry entry) {
    auto& c = catalogue();
    std::lock_guard lock(c.mutex);
    std::erase_if(c.entries, [&](const auto& e) { return e.name == entry.name; });
    c.entries.push_back(std::move(entry));
}

std::vector<std::string> blueprint_names(graph::AnchorKind kind, bool with_shams) {
    auto& c = catalogue();
    std::lock_guard lock(c.mutex);
    std::vector<std::string> names;
    for (const auto& entry : c.entries)
        if (fits(entry, kind) && (with_shams || !entry.sham)) names.push_back(entry.name);
    return names;
}

Result<Blueprint> make_blueprint(std::string_view name, const graph::Anchor& anchor,
                                 const graph::TensorType& type, Chunk chunk) {
    using namespace graph;
    if (chunk.end < 0) chunk.end = anchor.features;
    ESPER_TRY(CatalogueEntry entry, find_entry(name, anchor.kind));
    ESPER_CHECK_STATUS(check_anchor(anchor, type, chunk));

    ProgramBuilder b(entry.name);
    const auto x = b.input("x", type);
    const auto features = chunk.end - chunk.begin;
    const bool whole = features == anchor.features;
    const auto dimension = feature_dimension(anchor.kind);
    auto part = x;
    if (!whole)
        part = b.call("aten::narrow", {x, constant(static_cast<std::int64_t>(dimension)),
                                       constant(chunk.begin), constant(features)});
    Branch branch{b, part, anchor.kind, features, {}, {}, {}};
    auto y = entry.maker(branch);
    if (!whole) {
        // Sizes to add before and after, from the last dimension backwards.
        std::vector<std::int64_t> pad(2 * (type.shape.size() - dimension), 0);
        pad[pad.size() - 2] = chunk.begin;
        pad[pad.size() - 1] = anchor.features - chunk.end;
        y = b.call("aten::constant_pad_nd", {y, ints(pad), constant(0.0)});
    }
    b.output("y", y);
    ESPER_TRY(ProgramPtr program, b.finish());

    bool trainable = false;
    for (const auto& p : program->parameters()) trainable = trainable || p.trainable;
    return Blueprint{entry.name,
                     program,
                     branch.readout_weight,
                     branch.readout_bias,
                     branch.readout_input,
                     chunk.begin,
                     features,
                     trainable,
                     entry.sham};
}

}  // namespace esper::blueprints
