#pragma once

#include <string>
#include <string_view>

#include "esper/graph/program.h"

namespace esper::graph {

/// The compact form: magic `ESPRPROG`, schema version (u16 major, u16 minor), sections, CRC-32C.
/// A reader takes any minor version of its own major version and refuses other majors.
std::string to_binary(const Program& program);

/// Errors: kMalformed (truncated, flipped or inconsistent bytes, with the offset), kWrongVersion,
/// kTooLarge, and what Program::make and validate_operators report. Never crashes, never allocates
/// more than a small multiple of the input's size.
Result<ProgramPtr> from_binary(std::string_view bytes);

}  // namespace esper::graph
