#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "esper/program/types.h"

namespace esper::graph {

/// Named tensors in the safetensors format: u64 length of a JSON header, the header, the tensors'
/// bytes in row-major order, without gaps (huggingface.co/docs/safetensors).
struct Safetensors {
    std::map<std::string, at::Tensor> tensors;
    std::map<std::string, std::string> metadata;  ///< the header's `__metadata__`
};

/// Writes atomically, tensors in the order of their names. Errors: kMalformed for an element type
/// the format lacks, FileError's.
Status write_safetensors(const std::filesystem::path& path, const Safetensors& content);

/// Errors: kMalformed for anything that is not a whole, gapless file; FileError's.
Result<Safetensors> read_safetensors(const std::filesystem::path& path);

}  // namespace esper::graph
