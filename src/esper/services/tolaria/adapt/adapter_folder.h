#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "esper/services/tolaria/adapt/adapter_file.h"

namespace esper::tolaria {

/// The adapters of a run: `RUN/adapters/<name>.esper`.
class AdapterFolder {
  public:
    explicit AdapterFolder(const std::filesystem::path& run) : path_(run / "adapters") {}

    std::filesystem::path file_of(const std::string& name) const;
    /// By name; empty where the run has none. Errors: those of read_adapter; kSymbolicLink where
    /// the folder is a link, which may lead to somebody else's files.
    Result<std::vector<AdapterFile>> all() const;
    /// Errors: kNameTaken, kSymbolicLink, those of writing.
    Result<std::filesystem::path> add(const AdapterFile& adapter) const;
    /// Whether `add` would take that name. Errors: kNameTaken, kSymbolicLink.
    Status check_free(const std::string& name) const;
    /// Errors: kNoSuchAdapter with the names that there are, kSymbolicLink.
    Status remove(const std::string& name) const;
    /// The adapter of that name, or, where there is none, the file of that path. Errors:
    /// kNoSuchAdapter, those of read_adapter.
    Result<AdapterFile> find(const std::string& name_or_file) const;

  private:
    Status check() const;
    Error no_such(const std::string& name) const;

    std::filesystem::path path_;
};

}  // namespace esper::tolaria
