#pragma once

#include <filesystem>

namespace esper::supply {

/// A temporary folder of a forge's process, made by whoever starts that process. It goes away with
/// the object. Where the maker is killed first, the next one takes it away: the maker holds a lock
/// by a file that it has open, which ends with the maker and with nothing else.
class ForgeFolder {
  public:
    ForgeFolder();
    ~ForgeFolder();
    ForgeFolder(const ForgeFolder&) = delete;
    ForgeFolder& operator=(const ForgeFolder&) = delete;
    /// Empty where none could be made.
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
    int lock_ = -1;
};

/// Removes the folders that makers of this user who are no more have left; how many.
int remove_abandoned_folders();

}  // namespace esper::supply
