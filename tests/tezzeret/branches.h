#pragma once

#include "esper/blueprints/catalogue.h"
#include "esper/program/builder.h"

namespace esper::tezzeret {

/// A blueprint of the catalogue for tokens of so many features.
inline graph::ProgramPtr token_branch(const std::string& name, std::int64_t features) {
    graph::Anchor anchor;
    anchor.name = "anchor";
    anchor.kind = graph::AnchorKind::kTokens;
    anchor.features = features;
    return value_or_throw(blueprints::make_blueprint(name, anchor,
                                                     {graph::DType::kFloat32, {-1, -1, features}}))
        .program;
}

/// A blueprint of the catalogue for images of so many features and pixels.
inline graph::ProgramPtr image_branch(const std::string& name, std::int64_t features,
                                      std::int64_t height, std::int64_t width) {
    graph::Anchor anchor;
    anchor.name = "anchor";
    anchor.kind = graph::AnchorKind::kImage;
    anchor.features = features;
    return value_or_throw(
               blueprints::make_blueprint(name, anchor,
                                          {graph::DType::kFloat32, {-1, features, height, width}}))
        .program;
}

inline graph::Init small_values() { return {graph::Init::Kind::kNormal, 0.2}; }

}  // namespace esper::tezzeret
