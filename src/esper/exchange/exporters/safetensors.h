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

/// Writes the file atomically, with the tensors in the order of their names. Errors: kMalformed for
/// an element type that the format lacks; those of FileError.
Status write_safetensors(const std::filesystem::path& path, const Safetensors& content);

/// Reads a file. Errors: kMalformed for an incomplete file or one with gaps; those of FileError.
Result<Safetensors> read_safetensors(const std::filesystem::path& path);

}  // namespace esper::graph
