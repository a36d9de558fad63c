#pragma once

#include "esper/services/urza/database.h"

namespace esper::urza {

/// Brings the tables to this version's form, one transaction for each file in migrations/, under
/// the database's write lock: of several processes that start at once, one does it. Error: kTooNew.
/// `to`: at most this many of them; 0 for all.
Status migrate(Database& database, std::int64_t to = 0);
/// Whether the tables have this version's form. Errors: as check_version.
Result<bool> is_up_to_date(Database& database);
/// Error: kTooNew, or kDamaged for a file without tables.
Status check_version(Database& database);

}  // namespace esper::urza
