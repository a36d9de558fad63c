#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "esper/program/program.h"

namespace esper::core {

/// A place for a seed in a foreign model: one that the caller runs, not Esper.
struct ForeignAnchor {
    std::string name;
    graph::AnchorKind kind = graph::AnchorKind::kVector;
    /// Shape of the f32 activation: [N, C, H, W], [N, T, D] or [N, D]; -1 for sizes that vary from
    /// batch to batch.
    std::vector<std::int64_t> shape;
};

/// The Program that represents a foreign model: every anchor is an input that the Program returns
/// unchanged. Seeds are inserted, journaled and replayed in it as in any host; the model itself
/// computes what lies between the anchors. Errors: those of Program::make; CoreError::kBadWrap for
/// a shape that does not fit its kind; CoreError::kNoAnchor for an empty list.
Result<graph::ProgramPtr> foreign_host(const std::string& name,
                                       const std::vector<ForeignAnchor>& anchors);

/// `program` without the seeds that learn in isolation (their output does not reach the host). The
/// isolated seed with the name `also` is not removed but blended in. Returns `program` itself if it
/// has no isolated seeds. Errors: GraphError::kUnknownName when `also` is not an isolated seed;
/// those of edits.
Result<graph::ProgramPtr> without_isolated(graph::ProgramPtr program, std::string_view also = {});

/// The seeds at one anchor of a foreign host as a Program of their own: from the activation `y` to
/// the value that replaces it. Every size is free except the features. Null if the anchor has no
/// seed. Error: GraphError::kUnknownName.
Result<graph::ProgramPtr> seeds_at(const graph::Program& host, std::string_view anchor);

}  // namespace esper::core
