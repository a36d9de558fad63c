#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "esper/contracts/enums.h"

namespace esper::contracts {

/// A random (version 4) UUID, from the operating system's generator. Thread-safe.
std::string new_uuid();

/// The 64-bit hash of a string id for compact records: the first 8 bytes of its SHA-256.
std::uint64_t stable_hash64(std::string_view id);

/// `<first 12 digits of the blueprint>-<target>-<pipeline>-<first 8 digits of the toolchain>`. A
/// pure function of its arguments.
std::string artifact_id(std::string_view blueprint_sha256, std::string_view target,
                        CompilationPipeline pipeline, std::string_view toolchain_sha256);

}  // namespace esper::contracts
