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

/// A model read from a file: its Program, and the tensors that its names stand for.
struct ImportedModel {
    ProgramPtr program;
    /// Parameters, buffers and constants by name. Slices of the mapped file: a page is copied when
    /// it is first written to, the file never changes.
    std::map<std::string, at::Tensor, std::less<>> tensors;
    /// Further names of tied parameters, and the name that the Program knows each by.
    std::map<std::string, std::string, std::less<>> aliases;
    /// What a reader should know: exported for evaluation, an output left out, ….
    std::vector<std::string> notes;
};

struct ImportOptions {
    /// Which of the archive's models; may be empty where there is only one.
    std::string model;
    /// Compares every member with its checksum (reads the whole file once).
    bool verify = true;
    /// False: parameters and buffers that the archive has no values for are declared all the same,
    /// from what the graph says about them (graphs without weights).
    bool weights = true;
    /// Where operators may come from.
    std::vector<std::string> namespaces{"aten"};
};

/// Reads what `torch.export.save` wrote, for training or for evaluation. Runs nothing and unpickles
/// nothing. docs/import.md says what is translated how.
///
/// Errors: those of files; kMalformed, kHashMismatch, kTooLarge (damaged or hostile files);
/// kWrongVersion (another major version of the schema); ImportError::kUnsupported (pickled tensors,
/// operators with sub-graphs, values that depend on data); kUnknownOperator, kBadArguments (the
/// installed libtorch lacks an operator or has another form of it).
Result<ImportedModel> import_pt2(const std::filesystem::path& path,
                                 const ImportOptions& options = {});
/// The same from memory, which `owner` keeps alive and which tensors may write to.
Result<ImportedModel> import_pt2(std::string_view bytes, std::shared_ptr<void> owner,
                                 const ImportOptions& options = {});

/// Copies the model's tensors into a store that `program` has been added to. Errors:
/// kUnknownName, kShapeMismatch.
Status load_tensors(const ImportedModel& model, TensorStore& store);

}  // namespace esper::graph
