#pragma once

#include <filesystem>
#include <utility>

namespace esper::cli {

/// A folder that this start makes goes again where nothing comes of the start.
class UnfinishedFolder {
  public:
    explicit UnfinishedFolder(std::filesystem::path folder) : folder_(std::move(folder)) {
        std::error_code error;
        if (std::filesystem::exists(folder_, error) || error) folder_.clear();
    }
    ~UnfinishedFolder() {
        std::error_code error;
        if (!folder_.empty()) std::filesystem::remove_all(folder_, error);
    }
    UnfinishedFolder(const UnfinishedFolder&) = delete;
    UnfinishedFolder& operator=(const UnfinishedFolder&) = delete;
    bool was_made() const {
        std::error_code error;
        return !folder_.empty() && std::filesystem::exists(folder_, error);
    }
    void keep() { folder_.clear(); }

  private:
    std::filesystem::path folder_;  ///< empty: nothing to take away
};

}  // namespace esper::cli
