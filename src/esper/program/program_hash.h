#pragma once

#include "esper/base/hash.h"
#include "esper/program/program.h"

namespace esper::graph {

/// The canonical SHA-256 of a Program; docs/program.md defines it byte by byte. It depends on what
/// is computed, not on how it is written down: value numbers, the order of declarations and the
/// order of independent instructions do not matter; names of parameters, buffers, controls, inputs,
/// outputs and anchors do (they have meaning outside), `name()` and scopes do not. Each value is
/// hashed over its operator and the hashes of its arguments (a Merkle DAG); an instruction that
/// writes into a value (effects.h) gives the memory behind it a new version, so that reads before
/// and after it differ. Calls that draw random numbers are hashed with their place among such
/// calls. Instructions whose results nobody reads count too.
Sha256 canonical_hash(const Program& program);

}  // namespace esper::graph
