#pragma once

#include "esper/base/hash.h"
#include "esper/program/program.h"

namespace esper::graph {

/// The canonical SHA-256 of a Program; docs/program.md defines it byte by byte. It depends on what
/// the Program computes and on the names of parameters, buffers, controls, inputs, outputs and
/// anchors. It does not depend on value numbers, the order of declarations and of independent
/// instructions, `name()` and scopes. A value's hash covers its operator and the hashes of its
/// arguments (a Merkle DAG). An instruction that writes into a value (effects.h) starts a new
/// version of that memory, so reads before and after it have different hashes. The hash of a call
/// that draws random numbers includes the number of such calls before it. Instructions with unused
/// results count, too.
Sha256 canonical_hash(const Program& program);

}  // namespace esper::graph
