#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "esper/services/nissa/nissa_errors.h"

namespace esper::nissa {

/// What the library of kernels in a folder says of them. It is opened to be looked at when somebody
/// asks; nothing is made where there is none. Thread-safe.
class KernelShelf {
  public:
    explicit KernelShelf(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// `library` (its folder), `kernels`, and, where it cannot be read, `problem`. A kernel has
    /// what was signed (`id`, `branch`, `blueprint`, `precision`, `sample`, `rows`, `isa`,
    /// `pipeline`), its `status`, and where it has one its `verdict` (`passed`, `at`, `hardware`,
    /// `tags`, and what was `measured`).
    nlohmann::json all() const;
    /// The same of the kernels of the branches that a run's seeds have, each with `reasons`: all
    /// that must hold before that run may use it, and whether it does. `record` is its run.json.
    nlohmann::json of_run(const nlohmann::json& record, std::int64_t batch_size) const;

  private:
    std::filesystem::path folder_;
};

}  // namespace esper::nissa
