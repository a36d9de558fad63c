#pragma once

#include <string>
#include <string_view>

#include "esper/program/program.h"

namespace esper::graph {

/// The binary form: magic `ESPRPROG`, schema version (u16 major, u16 minor), sections, CRC-32C;
/// docs/program.md describes every byte. The bytes do not depend on the value numbers. A reader
/// accepts any minor version of its major version, skips unknown sections, and refuses other major
/// versions.
std::string to_binary(const Program& program);

/// Errors: kMalformed (truncated, flipped or inconsistent bytes, with the offset), kWrongVersion,
/// kTooLarge, and those of Program::make and validate_operators. Safe for any input; allocates at
/// most a small multiple of the input's size.
Result<ProgramPtr> from_binary(std::string_view bytes);

/// The same without looking operators up, and without libtorch.
Result<ProgramPtr> parse_binary(std::string_view bytes);

}  // namespace esper::graph
