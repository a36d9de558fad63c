#pragma once

#include <vector>

#include "esper/services/urza/library.h"

namespace esper::urza {

/// The catalogue's blueprints as Programs of one reference size each (64 features; images of 16 ×
/// 16, texts of 64 tokens). A seed's own branch, whose size is its anchor's, is a blueprint with
/// another id, which names one of these as its parent.
Result<std::vector<contracts::BlueprintSubmission>> catalogue_blueprints();

/// Adds those that are missing. Returns their number.
Result<std::size_t> add_catalogue(Library& library);

}  // namespace esper::urza
