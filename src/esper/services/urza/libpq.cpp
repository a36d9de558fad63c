#include "esper/services/urza/libpq.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <string>

#include "esper/base/fault_points.h"

namespace esper::urza {
namespace {

struct Opened {
    Libpq functions{};
    std::string problem;
};

Opened open_libpq() {
    constexpr const char* kFile = "libpq.so.5";
    Opened opened;
    void* library = ::dlopen(kFile, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        opened.problem = ::dlerror();
        return opened;
    }
    const auto find = [&](const char* name, auto& function) {
        void* found = ::dlsym(library, name);
        if (found == nullptr && opened.problem.empty())
            opened.problem = fmt::format("{} has no {}", kFile, name);
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);
    };
    Libpq& pq = opened.functions;
    find("PQconnectdbParams", pq.connect);
    find("PQfinish", pq.finish);
    find("PQstatus", pq.status);
    find("PQtransactionStatus", pq.transaction_status);
    find("PQerrorMessage", pq.error_message);
    find("PQsetNoticeProcessor", pq.set_notice_processor);
    find("PQexec", pq.exec);
    find("PQprepare", pq.prepare);
    find("PQexecPrepared", pq.exec_prepared);
    find("PQresultStatus", pq.result_status);
    find("PQresultErrorMessage", pq.result_error_message);
    find("PQresultErrorField", pq.result_error_field);
    find("PQntuples", pq.rows);
    find("PQftype", pq.type_of);
    find("PQcmdStatus", pq.command_status);
    find("PQcmdTuples", pq.changed_rows);
    find("PQgetvalue", pq.value);
    find("PQgetlength", pq.length);
    find("PQgetisnull", pq.is_null);
    find("PQclear", pq.clear);
    return opened;
}

}  // namespace

Result<const Libpq*> libpq() {
    static FaultPoint fault{"urza.no_libpq"};
    static const Opened opened = open_libpq();
    const std::string problem = fault.fires() ? "libpq.so.5: it is missing" : opened.problem;
    if (problem.empty()) return &opened.functions;
    return fail(UrzaError::kUnreachable,
                fmt::format("a library in PostgreSQL needs PostgreSQL's client library, and {}; "
                            "install it (Debian: apt-get install libpq5), or use a library in a "
                            "folder",
                            problem));
}

}  // namespace esper::urza
