#include "esper/services/urza/database.h"

namespace esper::urza {

Statement::Statement(Database* database, std::unique_ptr<Prepared> prepared, std::string sql)
    : database_(database), prepared_(std::move(prepared)), sql_(std::move(sql)) {}

Statement::~Statement() {
    if (prepared_ == nullptr) return;
    prepared_->reset();
    database_->idle_[sql_].push_back(std::move(prepared_));
}

Statement& Statement::bind(std::string_view text) {
    prepared_->bind_text(text);
    return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
    prepared_->bind_blob(bytes);
    return *this;
}

Statement& Statement::bind(std::int64_t number) {
    prepared_->bind_integer(number);
    return *this;
}

Statement& Statement::bind(std::optional<double> number) {
    prepared_->bind_real(number);
    return *this;
}

Status Statement::run() {
    ESPER_CHECK_STATUS(step());
    return {};
}

Result<Statement> Database::prepare(const std::string& sql) {
    auto& idle = idle_[sql];
    if (!idle.empty()) {
        auto prepared = std::move(idle.back());
        idle.pop_back();
        return Statement(this, std::move(prepared), sql);
    }
    ESPER_TRY(auto prepared, compile(sql));
    return Statement(this, std::move(prepared), sql);
}

}  // namespace esper::urza
