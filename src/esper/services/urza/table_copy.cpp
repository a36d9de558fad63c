#include "esper/services/urza/table_copy.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <variant>

namespace esper::urza {
namespace {

struct Column {
    std::string_view name;
    enum class Kind { kText, kBlob, kInteger, kReal } kind = Kind::kText;
};
constexpr auto kBlob = Column::Kind::kBlob;
constexpr auto kInteger = Column::Kind::kInteger;
constexpr auto kReal = Column::Kind::kReal;

struct Table {
    std::string_view name;
    std::size_t keys;  ///< how many of the first columns are its key
    std::vector<Column> columns;
};

/// In an order in which no row names one that is not there yet.
const std::vector<Table>& tables() {
    static const std::vector<Table> all{
        {"blueprint", 1, {{"id"}, {"status"}, {"updated"}, {"record"}}},
        {"lineage", 2, {{"child"}, {"parent"}}},
        {"kernel",
         1,
         {{"id"},
          {"blueprint"},
          {"precision"},
          {"status"},
          {"latency", kReal},
          {"memory", kReal},
          {"object"},
          {"collected", kInteger},
          {"manifest", kBlob},
          {"forge_key"},
          {"forge_signature", kBlob},
          {"record"}}},
        {"verdict",
         1,
         {{"number", kInteger},
          {"kernel"},
          {"statement", kBlob},
          {"gauntlet_key"},
          {"gauntlet_signature", kBlob},
          {"report", kBlob}}},
        {"tag", 2, {{"tag"}, {"kernel"}}},
        {"field_run", 1, {{"id"}, {"host"}}},
        {"field_report", 1, {{"number", kInteger}, {"blueprint"}, {"record"}, {"run"}, {"seed"}}},
        {"field_candidates",
         2,
         {{"run"}, {"blueprint"}, {"measured", kInteger}, {"chosen", kInteger}}},
        {"work",
         1,
         {{"id"},
          {"subject"},
          {"hardware"},
          {"orders"},
          {"state"},
          {"worker"},
          {"token", kInteger},
          {"leased_until", kInteger},
          {"attempts", kInteger},
          {"not_before", kInteger},
          {"said"}}},
        {"ledger",
         1,
         {{"number", kInteger}, {"at"}, {"actor"}, {"action"}, {"subject"}, {"digest"}, {"hash"}}},
        {"ledger_head",
         1,
         {{"one", kInteger}, {"statement", kBlob}, {"library_key"}, {"library_signature", kBlob}}}};
    return all;
}

using Value = std::variant<std::string, std::int64_t, std::optional<double>>;

Value value_of(const Statement& row, const Column& column, int at) {
    if (column.kind == kInteger) return row.integer(at);
    if (column.kind == kReal) return row.real(at);
    return row.text(at);
}

void bind_value(Statement& statement, const Column& column, const Value& value) {
    switch (column.kind) {
        case kInteger:
            statement.bind(std::get<std::int64_t>(value));
            return;
        case kReal:
            statement.bind(std::get<std::optional<double>>(value));
            return;
        case kBlob:
            statement.bind_blob(std::get<std::string>(value));
            return;
        default:
            statement.bind(std::string_view(std::get<std::string>(value)));
    }
}

/// `a, b, c` and `?, ?, ?` for the first `count` columns.
std::string names(const Table& table, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i)
        text += fmt::format("{}{}", i == 0 ? "" : ", ", table.columns[i].name);
    return text;
}
std::string placeholders(std::size_t count) {
    std::string text = "?";
    for (std::size_t i = 1; i < count; ++i) text += ", ?";
    return text;
}

Result<std::uint64_t> copy_table(const Table& table, Database& from, Database& to) {
    constexpr std::int64_t kAtOnce = 256;
    const std::size_t width = table.columns.size();
    const std::string columns = names(table, width), key = names(table, table.keys);
    const std::string insert =
        fmt::format("INSERT INTO {} ({}) VALUES ({})", table.name, columns, placeholders(width));
    std::vector<Value> last;
    std::uint64_t copied = 0;
    for (;;) {
        const std::string after =
            last.empty() ? "" : fmt::format(" WHERE ({}) > ({})", key, placeholders(table.keys));
        ESPER_TRY(auto select, from.prepare(fmt::format("SELECT {} FROM {}{} ORDER BY {} LIMIT {}",
                                                        columns, table.name, after, key, kAtOnce)));
        for (std::size_t i = 0; i < last.size(); ++i) bind_value(select, table.columns[i], last[i]);
        std::int64_t rows = 0;
        for (;; ++rows) {
            ESPER_TRY(const bool more, select.step());
            if (!more) break;
            ESPER_TRY(auto add, to.prepare(insert));
            std::vector<Value> values;
            for (std::size_t i = 0; i < width; ++i) {
                values.push_back(value_of(select, table.columns[i], static_cast<int>(i)));
                bind_value(add, table.columns[i], values.back());
            }
            ESPER_CHECK_STATUS(add.run());
            values.resize(table.keys);
            last = std::move(values);
        }
        copied += static_cast<std::uint64_t>(rows);
        if (rows < kAtOnce) return copied;
    }
}

}  // namespace

Status check_tables(Database& from) {
    for (const auto& table : tables()) {
        const std::string columns = names(table, table.columns.size());
        ESPER_CHECK_STATUS(from.prepare(fmt::format("SELECT {} FROM {}", columns, table.name)));
    }
    if (from.dialect() != Dialect::kSqlite) return {};  // it lets no row name a missing one
    ESPER_TRY(auto check, from.prepare("PRAGMA foreign_key_check"));
    ESPER_TRY(const bool dangles, check.step());
    if (!dangles) return {};
    return fail(UrzaError::kDamaged, fmt::format("a row of {} names one of {} that is not there",
                                                 check.text(0), check.text(2)));
}

Result<std::uint64_t> copy_tables(Database& from, Database& to) {
    std::uint64_t copied = 0;
    for (const auto& table : tables()) {
        ESPER_TRY(const std::uint64_t rows, copy_table(table, from, to));
        copied += rows;
    }
    if (to.dialect() != Dialect::kPostgres) return copied;
    // Numbers that were given by hand are not counted by what gives the next.
    for (const char* table : {"verdict", "field_report"})
        ESPER_CHECK_STATUS(
            to.run(fmt::format("SELECT setval(pg_get_serial_sequence('{0}', "
                               "'number'), max(number)) FROM {0}",
                               table)));
    return copied;
}

}  // namespace esper::urza
