#pragma once

#include <filesystem>

#include "esper/base/error.h"

namespace esper::records {

/// What RunFolder::create refuses before it makes anything.
Status check_new_run_folder(const std::filesystem::path& folder);

/// The error of RunFolder::create, without leaving a folder behind.
Status try_new_run_folder(const std::filesystem::path& folder);

}  // namespace esper::records
