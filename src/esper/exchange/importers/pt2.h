#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "esper/exchange/importers/import_error.h"
#include "esper/program/program.h"

namespace esper::graph {

class TensorStore;

/// A model read from a file: its Program and its tensors.
struct ImportedModel {
    ProgramPtr program;
    /// Parameters, buffers and constants by name. They are slices of the mapped file: a page is
    /// copied at its first write, and the file never changes.
    std::map<std::string, at::Tensor, std::less<>> tensors;
    /// The other names of tied parameters, each with the name that the Program uses.
    std::map<std::string, std::string, std::less<>> aliases;
    /// Notes for the user, e.g. that the model was exported for evaluation.
    std::vector<std::string> notes;
};

struct ImportOptions {
    /// Name of the model in the archive; may be empty if there is only one.
    std::string model;
    /// Compares every member with its checksum (reads the whole file once).
    bool verify = true;
    /// False accepts graphs without weights: parameters and buffers without values in the archive
    /// are declared with the types of the graph.
    bool weights = true;
    /// Allowed namespaces of operators.
    std::vector<std::string> namespaces{"aten"};
};

/// Reads a file of `torch.export.save`, exported for training or for evaluation. Executes nothing
/// and unpickles nothing. docs/import.md describes the translation.
///
/// Errors: those of files; kMalformed, kHashMismatch, kTooLarge (damaged or hostile files);
/// kWrongVersion (another major version of the schema); ImportError::kUnsupported (pickled tensors,
/// operators with sub-graphs, values that depend on data); kUnknownOperator, kBadArguments (the
/// installed libtorch lacks an operator or has another form of it).
Result<ImportedModel> import_pt2(const std::filesystem::path& path,
                                 const ImportOptions& options = {});
/// The same from memory. `owner` keeps the memory alive; writing to the tensors changes it.
Result<ImportedModel> import_pt2(std::string_view bytes, std::shared_ptr<void> owner,
                                 const ImportOptions& options = {});

/// Copies the model's tensors into a store that `program` has been added to. Errors:
/// kUnknownName, kShapeMismatch.
Status load_tensors(const ImportedModel& model, TensorStore& store);

}  // namespace esper::graph
