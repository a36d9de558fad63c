#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "esper/services/tolaria/adapt/adapt_errors.h"
#include "esper/services/tolaria/adapt/adapted_program.h"
#include "esper/services/tolaria/adapt/host_identity.h"

namespace esper::tolaria {

/// An adapter as one safetensors file: tensors and a few words in its metadata, in the form that
/// `Adaptation.save` of the Python package writes too. Nothing in a file is run.
struct AdapterFile {
    std::string name = "adapter";
    std::string purpose;  ///< a line for people: what it was trained on
    AdapterPart part;
    HostIdentity host;  ///< without the names
    /// Losses that were measured, by name: `new`, `new, host` and so on.
    std::map<std::string, double> losses;
    /// What the network's outputs stand for with the adapter; empty: what they do without it.
    std::vector<std::string> classes;
    /// The part's parameters by their names in its blueprint.
    std::map<std::string, at::Tensor> tensors;
};

/// Whether it begins with a letter and goes on with letters, digits, `-` and `_`, at most 64.
bool is_adapter_name(std::string_view name);
/// The same for a name that a user gave. Error: kUnsupported.
Status check_adapter_name(const std::string& name);

Status write_adapter(const std::filesystem::path& file, const AdapterFile& adapter);

/// Reads a file, held to what may stand in one. Errors: kBadAdapter, those of reading.
Result<AdapterFile> read_adapter(const std::filesystem::path& file);

/// Errors: kOtherHost with the tensors that differ, unless the adapter was made for this network.
Status check_host(const AdapterFile& adapter, const HostIdentity& host);

/// `host` with the adapter, and its tensors put into `store`. Errors: those of check_host and
/// with_adapter; kBadAdapter for a name of a seed that the host has itself.
Result<graph::ProgramPtr> put_on(const AdapterFile& adapter, const graph::Program& host,
                                 graph::TensorStore& store);

}  // namespace esper::tolaria
