#pragma once

#include <libpq-fe.h>

#include "esper/services/urza/urza_error.h"

namespace esper::urza {

/// PostgreSQL's client library. It is opened when the first library in such a database is, so
/// that Esper starts without it, and runs where it is not installed.
struct Libpq {
    decltype(&::PQconnectdbParams) connect;
    decltype(&::PQfinish) finish;
    decltype(&::PQstatus) status;
    decltype(&::PQtransactionStatus) transaction_status;
    decltype(&::PQerrorMessage) error_message;
    decltype(&::PQsetNoticeProcessor) set_notice_processor;
    decltype(&::PQexec) exec;
    decltype(&::PQprepare) prepare;
    decltype(&::PQexecPrepared) exec_prepared;
    decltype(&::PQresultStatus) result_status;
    decltype(&::PQresultErrorMessage) result_error_message;
    decltype(&::PQresultErrorField) result_error_field;
    decltype(&::PQntuples) rows;
    decltype(&::PQftype) type_of;
    decltype(&::PQcmdStatus) command_status;
    decltype(&::PQcmdTuples) changed_rows;
    decltype(&::PQgetvalue) value;
    decltype(&::PQgetlength) length;
    decltype(&::PQgetisnull) is_null;
    decltype(&::PQclear) clear;
};

/// Fault point: urza.no_libpq. Error: kUnreachable where it is not installed.
Result<const Libpq*> libpq();

}  // namespace esper::urza
