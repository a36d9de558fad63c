#pragma once

#include "esper/services/urza/database.h"

namespace esper::urza {

/// Copies every row of every table of a library into another, whose tables are empty. Both may be
/// databases of any kind; transactions are the caller's. Returns how many rows.
Result<std::uint64_t> copy_tables(Database& from, Database& to);

/// Whether copy_tables() finds every table and column there, and each row that a row names.
/// Errors: kDatabase, kDamaged.
Status check_tables(Database& from);

}  // namespace esper::urza
