#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "esper/program/program.h"

namespace esper::core {

/// A place for a seed in a model that Esper does not run.
struct ForeignAnchor {
    std::string name;
    graph::AnchorKind kind = graph::AnchorKind::kVector;
    /// f32 [N, C, H, W], [N, T, D] or [N, D]; -1 for what varies from batch to batch.
    std::vector<std::int64_t> shape;
};

/// The Program that stands for such a model: every anchor is an input that is handed back
/// unchanged. Seeds are inserted, journaled and replayed in it as in any host; between the anchors
/// the model itself computes. Errors: those of Program::make; CoreError::kBadWrap
/// for a shape that does not fit its kind, CoreError::kNoAnchor for an empty list.
Result<graph::ProgramPtr> foreign_host(const std::string& name,
                                       const std::vector<ForeignAnchor>& anchors);

/// The network as its host hears it: without the seeds that learn in isolation, but for the one
/// called `also`, which is blended in; `program` itself where there are none. Errors:
/// GraphError::kUnknownName when `also` is no isolated seed; those of edits.
Result<graph::ProgramPtr> without_isolated(graph::ProgramPtr program, std::string_view also = {});

/// What the seeds at one anchor of a foreign host do there: a Program from `y` to the value that
/// takes its place, with every size but the features' left free. Null where no seed is.
/// Errors: GraphError::kUnknownName.
Result<graph::ProgramPtr> seeds_at(const graph::Program& host, std::string_view anchor);

}  // namespace esper::core
