#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "esper/services/nissa/nissa_errors.h"

namespace esper::nissa {

struct TraceQuery {
    std::string seed = {};               ///< only this one's, and no split's; empty: every seed's
    std::string block = {};              ///< only of this block's splits; empty: of every split
    std::filesystem::path library = {};  ///< of kernels: when each was compiled and judged
};

/// What was decided in a run, as traces in the format OTLP/JSON
/// (https://opentelemetry.io/docs/specs/otlp/): one trace a seed, from the boundary at which it
/// germinated over its kernel and each of its states to what became of it, and one a split of a
/// block (split_trace()). The parts of Esper are
/// its services: esper-tolaria measures, esper-tamiyo decides, esper-kasmina moves the seed,
/// esper-urza has its kernel, which esper-tezzeret compiled and esper-urabrask judged. A kernel
/// that was made before the run keeps its own time. Errors: those of RunTimes::read and
/// records::read_events.
Result<nlohmann::json> decision_traces(const std::filesystem::path& run, const TraceQuery& query);

}  // namespace esper::nissa
