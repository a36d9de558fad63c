#pragma once

#include "esper/services/urza/libpq.h"
#include "esper/services/urza/postgres_database.h"

namespace esper::urza {

/// A statement of a PostgreSQL connection. Its first step() runs it and receives all of its rows.
class PostgresPrepared final : public Prepared {
  public:
    PostgresPrepared(PostgresDatabase& database, std::string sql, std::string name)
        : database_(database), sql_(std::move(sql)), name_(std::move(name)) {}
    ~PostgresPrepared() override { reset(); }

    // Texts go as their bytes, so that the server, not a zero byte, says where they end.
    void bind_text(std::string_view text) override { bind(std::string(text), true); }
    void bind_blob(std::string_view bytes) override { bind(std::string(bytes), true); }
    void bind_integer(std::int64_t number) override { bind(std::to_string(number), false); }
    void bind_real(std::optional<double> number) override;
    Result<bool> step() override;
    void reset() override;
    std::string text(int column) const override;
    std::int64_t integer(int column) const override;
    std::optional<double> real(int column) const override;

  private:
    void bind(std::optional<std::string> value, bool is_binary);
    Status execute();
    Status execute_once();

    PostgresDatabase& database_;
    const std::string sql_, name_;
    std::uint64_t prepared_on_ = 0;  ///< the generation of the connection that knows it
    std::vector<std::optional<std::string>> values_;
    std::vector<int> formats_;
    PGresult* result_ = nullptr;
    int row_ = -1;
};

}  // namespace esper::urza
