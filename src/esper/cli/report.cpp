#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "esper/cli/commands.h"
#include "esper/cli/output_file.h"
#include "esper/cli/run_state.h"
#include "esper/services/records/report_data.h"

namespace esper::cli {

void add_report(CLI::App& app, int& exit_code) {
    auto folder = std::make_shared<std::string>();
    auto out = std::make_shared<std::string>();
    auto* command = app.add_subcommand("report", "one self-contained HTML file about a run");
    command->add_option("folder", *folder, "the run's folder")->required();
    command->add_option("-o,--out", *out, "the file (default: report.html in the run's folder)");
    command->callback([folder, out, &exit_code] {
        const std::filesystem::path run(*folder);
        const auto file = out->empty() ? run / "report.html" : std::filesystem::path(*out);
        auto done = check_output_file(file);
        if (done) done = records::write_report(run, file);
        if (done) std::printf("%s\n", file.c_str());
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
