#pragma once

#include <filesystem>

#include "esper/services/urza/database.h"

struct sqlite3;

namespace esper::urza {

/// A SQLite file, in WAL mode with `synchronous=full`.
class SqliteDatabase final : public Database {
  public:
    /// kSettled: read only, and nobody changes the file meanwhile, so that no journal is needed.
    enum class Mode { kReadWrite, kReadOnly, kSettled };
    /// kReadWrite makes a missing file.
    static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path, Mode mode);
    ~SqliteDatabase() override;

    Dialect dialect() const override { return Dialect::kSqlite; }
    Status run(const std::string& sql) override;
    std::int64_t changes() const override;
    Status begin() override { return run("BEGIN IMMEDIATE"); }
    bool in_transaction() const override;
    Result<std::int64_t> version() override;
    Status set_version(std::int64_t version) override;
    Status check_integrity() override;

    tl::unexpected<Error> error(std::string_view doing) const;

  private:
    explicit SqliteDatabase(std::filesystem::path path) : path_(std::move(path)) {}
    Result<std::unique_ptr<Prepared>> compile(const std::string& sql) override;
    std::filesystem::path path_;
    sqlite3* handle_ = nullptr;
};

}  // namespace esper::urza
