#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

/// Reads a file whole; one packed by gzip is unpacked. No more memory is asked for than half of the
/// machine's. Errors: kMissing; kTooLarge; kCorrupt for a damaged gzip file; kTruncated for one
/// that ends early.
Result<std::string> read_data_file(const std::filesystem::path& path);

/// Unpacks gzip. Errors: kCorrupt, kTruncated, kTooLarge for more than `limit` bytes.
Result<std::string> gunzip(std::string_view packed, std::uint64_t limit);

/// The first bytes of a file, unpacked where it is packed; empty where it cannot be read.
std::string first_bytes(const std::filesystem::path& path, std::size_t count = 4096);

/// Half of the machine's memory: the most that data may take.
std::uint64_t most_memory();

/// Refuses what would take more than half of the machine's memory. Error: kTooLarge with `what` and
/// `advice`.
Status check_memory(std::uint64_t bytes, std::string_view what, std::string_view advice);

/// A name from a stranger's file as it can be shown: without control characters, not too long.
std::string shown_name(std::string_view name, std::size_t longest = 80);

}  // namespace esper::tolaria
