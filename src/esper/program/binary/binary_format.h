#pragma once

#include <string>
#include <string_view>

#include "esper/program/program.h"

namespace esper::graph {

/// The compact form: magic `ESPRPROG`, schema version (u16 major, u16 minor), sections, CRC-32C;
/// docs/program.md has every byte. The same Program gives the same bytes, whatever its value
/// numbers are. A reader takes any minor version of its own major version (skipping sections it
/// does not know) and refuses other majors.
std::string to_binary(const Program& program);

/// Errors: kMalformed (truncated, flipped or inconsistent bytes, with the offset), kWrongVersion,
/// kTooLarge, and what Program::make and validate_operators report. Never crashes, never allocates
/// more than a small multiple of the input's size.
Result<ProgramPtr> from_binary(std::string_view bytes);

/// The same without looking operators up, and without libtorch.
Result<ProgramPtr> parse_binary(std::string_view bytes);

}  // namespace esper::graph
