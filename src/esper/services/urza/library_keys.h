#pragma once

#include <string>

#include "esper/execution/kernels/trust/key_folder.h"
#include "esper/services/urza/database.h"

namespace esper::urza {

/// The folder of this user's keys for a library at this address ("" as open_library has it).
execution::KeyFolder keys_of(const std::string& address, Clock& clock = system_clock());

/// A library belongs to those whose keys seal it: whoever has others may read it, and spoils
/// nothing.

bool keys_are_there(const execution::KeyFolder& keys);
/// Of a library that others have filled: no keys are made for it.
Error no_keys(const std::string& library, const execution::KeyFolder& keys);

/// Whether the ledger's head has the seal of a key that this ring does not know.
bool is_sealed_by_others(Database& database, const execution::KeyRing& ring);
std::string sealed_by_others(const execution::KeyFolder& keys);

}  // namespace esper::urza
