#pragma once

#include <vector>

#include "urza/conformance.h"
#include "urza/postgres_server.h"

namespace esper::testing {

/// Every kind of DatabaseLibrary. Their homes are DatabaseHomes.
inline std::vector<Implementation> databases() {
    return {{"sqlite", [] { return std::make_unique<FolderHome>(); }},
            {"postgres", [] { return std::make_unique<PostgresHome>(); }, PostgresHome::missing}};
}

}  // namespace esper::testing
