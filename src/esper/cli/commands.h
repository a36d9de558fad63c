#pragma once
// cli: the one binary `esper`, one file per sub-command.

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace esper::cli {

/// Each function adds one sub-command, which sets `exit_code` when it runs.
void add_train(CLI::App& app, int& exit_code);
void add_resume(CLI::App& app, int& exit_code);
void add_export(CLI::App& app, int& exit_code);
void add_inspect(CLI::App& app, int& exit_code);
void add_replay(CLI::App& app, int& exit_code);
void add_eval(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);
void add_data(CLI::App& app, int& exit_code);
void add_rollback(CLI::App& app, int& exit_code);
void add_report(CLI::App& app, int& exit_code);
void add_finish(CLI::App& app, int& exit_code);
void add_pareto(CLI::App& app, int& exit_code);
void add_adapt(CLI::App& app, int& exit_code);
void add_adapters(CLI::App& app, int& exit_code);
void add_library(CLI::App& app, int& exit_code);
void add_keys(CLI::App& app, int& exit_code);
void add_token(CLI::App& app, int& exit_code);
void add_urza(CLI::App& app, int& exit_code);
void add_soak(CLI::App& app, int& exit_code);
void add_forge(CLI::App& app, int& exit_code);
void add_runs(CLI::App& app, int& exit_code);
void add_compare(CLI::App& app, int& exit_code);
void add_sample(CLI::App& app, int& exit_code);
void add_predict(CLI::App& app, int& exit_code);
void add_sweep(CLI::App& app, int& exit_code);
/// Adds `esper watch` and `esper nissa serve`.
void add_watch(CLI::App& app, int& exit_code);
/// Adds the commands of the other roles as processes. Each refuses, because it is not built yet.
void add_roles(CLI::App& app, int& exit_code);

struct OutputFlags;
/// Adds the flags --json and -q.
void add_output_flags(CLI::App* command, OutputFlags& flags);

}  // namespace esper::cli
