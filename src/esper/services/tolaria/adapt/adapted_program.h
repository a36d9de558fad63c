#pragma once

#include <cstdint>
#include <string>

#include "esper/engine/tensor_store.h"

namespace esper::tolaria {

/// The seed that an adapter is in its host's Program.
inline constexpr const char* kAdapterSeed = "adapter";

/// One wide branch on a host: `blueprint` (blueprints/adapter.h) with `width` hidden units at the
/// anchor `anchor`.
struct AdapterPart {
    std::string anchor;
    graph::AnchorKind kind = graph::AnchorKind::kTokens;
    std::int64_t features = 0;
    std::string blueprint;
    std::int64_t width = 0;

    std::int64_t parameters() const;
    bool operator==(const AdapterPart&) const = default;
};

/// `host` as it is adapted: nothing in it is trained, dropout and batch norms are as in evaluation.
Result<graph::ProgramPtr> frozen(const graph::Program& host);

/// `host` with the part added. Errors: kUnknownName for an anchor that it lacks, those of
/// make_adapter and of edits.
Result<graph::ProgramPtr> with_adapter(const graph::Program& host, const AdapterPart& part);

/// The last dimension of the host's first output: classes, tokens or predicted numbers.
Result<std::int64_t> output_count(const graph::Program& host);

/// Hidden units that so many parameters pay for at an anchor, at most eight a feature; 0: none.
std::int64_t width_for(const AdapterPart& part, std::int64_t parameters);

/// A Program that stands for the part alone; its hash names what the part computes.
Result<graph::ProgramPtr> program_of(const AdapterPart& part);

}  // namespace esper::tolaria
