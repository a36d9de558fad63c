#pragma once

#include <nlohmann/json_fwd.hpp>

#include "esper/services/urza/library.h"

namespace CLI {
class App;
}

namespace esper::cli {

/// `--library` and `--objects`, which name a library and where its objects lie.
void add_library_options(CLI::App& command, std::string& library, std::string& objects);

/// The library's records for people, on standard output.

void print_blueprint_line(const contracts::Blueprint& blueprint);
void print_kernel_line(const urza::KernelRecord& record);
void print_blueprint(const contracts::Blueprint& blueprint,
                     const std::vector<urza::FiledReport>& reports);
/// One seed's end; `name` is its blueprint's.
void print_report_line(const std::string& name, const urza::FiledReport& filed);
void print_kernel(const urza::KernelRecord& record);
void print_entry(const urza::LedgerEntry& entry);
/// For programs.
nlohmann::json entry_json(const urza::LedgerEntry& entry);
void print_reason(const urza::Reason& reason);

/// Its status and whether it may be used: `VALIDATED` only where a verdict was verified.
std::string state_of(const urza::KernelRecord& record);

}  // namespace esper::cli
