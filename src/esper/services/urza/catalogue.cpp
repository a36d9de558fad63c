#include "esper/services/urza/catalogue.h"

#include <fmt/format.h>

#include <array>

#include "esper/blueprints/catalogue.h"
#include "esper/program/text/text_format.h"

namespace esper::urza {
namespace {

using graph::AnchorKind;

struct Reference {
    AnchorKind kind;
    std::vector<std::int64_t> shape;
};
constexpr std::int64_t kFeatures = 64;

std::vector<Reference> references() {
    return {{AnchorKind::kImage, {-1, kFeatures, 16, 16}},
            {AnchorKind::kVector, {-1, kFeatures}},
            {AnchorKind::kTokens, {-1, 64, kFeatures}}};
}

}  // namespace

Result<std::vector<contracts::BlueprintSubmission>> catalogue_blueprints() {
    std::vector<contracts::BlueprintSubmission> all;
    for (const auto& reference : references()) {
        const graph::Anchor anchor{"x", reference.kind, graph::ValueId(0), {}, kFeatures};
        const graph::TensorType type{graph::DType::kFloat32, reference.shape};
        const auto kind = graph::anchor_kind_name(reference.kind);
        for (const auto& name : blueprints::blueprint_names(reference.kind)) {
            ESPER_TRY(const auto made, blueprints::make_blueprint(name, anchor, type));
            contracts::BlueprintSubmission submission;
            submission.name = fmt::format("{}/{}", name, kind);
            submission.description =
                fmt::format("the catalogue's {} for {} of {} features", name, kind, kFeatures);
            submission.architecture = graph::to_text(*made.program);
            submission.submitted_by = "catalogue";
            all.push_back(std::move(submission));
        }
    }
    return all;
}

Result<std::size_t> add_catalogue(Library& library) {
    ESPER_TRY(const auto all, catalogue_blueprints());
    std::size_t added = 0;
    for (const auto& submission : all) {
        ESPER_TRY(const auto program, graph::parse_text(submission.architecture));
        const std::string id = program->hash().hex();
        if (const auto present = library.blueprint(id); present) continue;
        ESPER_CHECK_STATUS(library.add_blueprint(submission));
        ++added;
    }
    return added;
}

}  // namespace esper::urza
