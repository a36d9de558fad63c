#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/execution/kernels/trust/key_folder.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/sqlite_database.h"

namespace esper::testing {

/// Where an empty library of one implementation lies for a test. It goes away with the object.
class LibraryHome {
  public:
    virtual ~LibraryHome() = default;
    /// Opens the library that lies here, as another process would each time.
    virtual Result<std::unique_ptr<urza::Library>> open() = 0;
    /// The keys that seal what is put into it, made by the first open().
    virtual execution::KeyFolder keys() const = 0;
    /// Makes every object look older than the time for which a new one is left alone.
    virtual void age_objects() = 0;
};

/// The same of a library that is a DatabaseLibrary, with what its database's owner can do.
class DatabaseHome : public LibraryHome {
  public:
    virtual Result<std::unique_ptr<urza::Database>> database() = 0;
    virtual std::string object(const std::string& digest) = 0;
    virtual void put_object(const std::string& digest, const std::string& bytes) = 0;
    void sql(const std::string& text) {
        const Status done = value_or_throw(database())->run(text);
        EXPECT_TRUE(done) << done.error().to_string();
    }
};

/// Temporary folders in memory from now on: these tests are about what is written, not about a
/// disk.
inline bool in_memory() {
    std::error_code ignored;
    return !std::filesystem::is_directory("/dev/shm", ignored) ||
           ::setenv("TMPDIR", "/dev/shm", 1) == 0;
}

inline void age_files(const std::filesystem::path& folder) {
    const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(2);
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder))
        if (file.is_regular_file()) std::filesystem::last_write_time(file.path(), long_ago);
}

/// A folder with a SQLite file.
class FolderHome final : public DatabaseHome {
  public:
    std::filesystem::path path() const { return folder_ / "library"; }
    Result<std::unique_ptr<urza::Library>> open() override {
        ESPER_TRY(auto library, urza::open_folder_library(path()));
        return std::unique_ptr<urza::Library>(std::move(library));
    }
    execution::KeyFolder keys() const override { return execution::KeyFolder(path() / "keys"); }
    void age_objects() override { age_files(path() / "objects"); }
    Result<std::unique_ptr<urza::Database>> database() override {
        return urza::SqliteDatabase::open(path() / "urza.sqlite",
                                          urza::SqliteDatabase::Mode::kReadWrite);
    }
    std::string object(const std::string& digest) override {
        return value_or_throw(read_file(file_of(digest)));
    }
    void put_object(const std::string& digest, const std::string& bytes) override {
        std::ofstream(file_of(digest), std::ios::binary) << bytes;
    }

  private:
    std::filesystem::path file_of(const std::string& digest) const {
        return path() / "objects" / digest.substr(0, 2) / digest;
    }
    [[maybe_unused]] const bool in_memory_ = in_memory();
    const TemporaryFolder folder_;
};

}  // namespace esper::testing
