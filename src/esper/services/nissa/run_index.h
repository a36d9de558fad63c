#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "esper/services/nissa/run.h"

namespace esper::nissa {

/// The runs below some folders. Thread-safe.
class RunIndex {
  public:
    static constexpr std::size_t kMostRuns = 20'000;
    static constexpr int kDeepest = 6;

    /// Each of `roots` is a run's folder, or one that holds runs at any depth up to kDeepest.
    explicit RunIndex(const std::vector<std::filesystem::path>& roots);

    struct Changes {
        std::vector<std::shared_ptr<Run>> come;
        std::vector<std::string> gone;  ///< ids
    };
    /// Looks for folders with a run.json. Symbolic links are not followed, but a root may be one.
    Changes scan();

    /// In the order of their ids.
    std::vector<std::shared_ptr<Run>> runs() const;
    /// Error: kNoSuchRun.
    Result<std::shared_ptr<Run>> find(std::string_view id) const;
    /// Has the runs that were not asked for longest forget what they have read, until all of them
    /// together hold no more than `bytes`.
    void trim(std::size_t bytes) const;

  private:
    std::string new_id(const std::filesystem::path& root,
                       const std::filesystem::path& folder) const;

    std::vector<std::filesystem::path> roots_;
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Run>, std::less<>> runs_;  ///< by id
    std::map<std::string, std::string> ids_;                         ///< by folder
};

}  // namespace esper::nissa
