#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "esper/services/nissa/nissa_errors.h"

namespace esper::nissa {

/// How the network grew, from the text of a journal.jsonl whose chain is verified first:
/// `anchors` (name, kind, features) of the first Program, and for each entry in `edits` its `step`,
/// `edit`, `seed`, `reason`, `parameters` and all `seeds` after it (seed, anchor, blueprint, mode).
/// A split of a block has `split` (block, copy); from there on `parameters` is null.
/// The edits are read and counted, never carried out, so that this costs little and needs no
/// engine. A last line without its end is passed over. Errors: those of graph::parse_journal.
Result<nlohmann::json> topology_of(std::string_view journal);

}  // namespace esper::nissa
