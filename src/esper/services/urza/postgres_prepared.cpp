#include "esper/services/urza/postgres_prepared.h"

#include <fmt/format.h>

#include <charconv>

namespace esper::urza {
namespace {

constexpr Oid kBytea = 17;  // of PostgreSQL's catalogue; it never changes

int nibble(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/// `\x00ff…`, the form of bytes that the connection asks for.
std::string bytes_of_hex(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 2; i + 1 < text.size(); i += 2)
        bytes += static_cast<char>(nibble(text[i]) << 4 | nibble(text[i + 1]));
    return bytes;
}

}  // namespace

void PostgresPrepared::bind(std::optional<std::string> value, bool is_binary) {
    values_.push_back(std::move(value));
    formats_.push_back(is_binary ? 1 : 0);
}

void PostgresPrepared::bind_real(std::optional<double> number) {
    bind(number ? std::optional(fmt::format("{}", *number)) : std::nullopt, false);
}

void PostgresPrepared::reset() {
    if (result_ != nullptr) database_.pq_.clear(std::exchange(result_, nullptr));
    row_ = -1;
    values_.clear();
    formats_.clear();
}

Status PostgresPrepared::execute_once() {
    const Libpq& pq = database_.pq_;
    if (database_.connection_ == nullptr) ESPER_CHECK_STATUS(database_.run(sql_));  // says so
    auto* connection = static_cast<PGconn*>(database_.connection_);
    const std::string doing = sql_.substr(0, 60);
    if (prepared_on_ != database_.generation_) {
        PGresult* made = pq.prepare(connection, name_.c_str(), sql_.c_str(), 0, nullptr);
        if (pq.result_status(made) != PGRES_COMMAND_OK) return database_.error(made, doing);
        pq.clear(made);
        prepared_on_ = database_.generation_;
    }
    std::vector<const char*> values;
    std::vector<int> lengths;
    for (const auto& value : values_) {
        values.push_back(value ? value->data() : nullptr);
        lengths.push_back(value ? static_cast<int>(value->size()) : 0);
    }
    result_ = pq.exec_prepared(connection, name_.c_str(), static_cast<int>(values.size()),
                               values.data(), lengths.data(), formats_.data(), 0);
    const auto status = pq.result_status(result_);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        return database_.error(std::exchange(result_, nullptr), doing);
    if (status == PGRES_COMMAND_OK) database_.changes_ = std::atoll(pq.changed_rows(result_));
    return {};
}

Status PostgresPrepared::execute() {
    const bool was_alone = !database_.in_transaction();
    const Status done = execute_once();
    return was_alone && database_.is_back(done) ? execute_once() : done;
}

Result<bool> PostgresPrepared::step() {
    if (result_ == nullptr) ESPER_CHECK_STATUS(execute());
    return ++row_ < database_.pq_.rows(result_);
}

std::string PostgresPrepared::text(int column) const {
    const Libpq& pq = database_.pq_;
    const std::string_view value(pq.value(result_, row_, column),
                                 static_cast<std::size_t>(pq.length(result_, row_, column)));
    return pq.type_of(result_, column) == kBytea ? bytes_of_hex(value) : std::string(value);
}

std::int64_t PostgresPrepared::integer(int column) const {
    return std::atoll(database_.pq_.value(result_, row_, column));
}

std::optional<double> PostgresPrepared::real(int column) const {
    const Libpq& pq = database_.pq_;
    if (pq.is_null(result_, row_, column) != 0) return std::nullopt;
    return std::strtod(pq.value(result_, row_, column), nullptr);
}

}  // namespace esper::urza
