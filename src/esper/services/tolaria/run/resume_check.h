#pragma once

#include <string>
#include <vector>

#include "esper/configs/config.h"
#include "esper/configs/yaml.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/learn/course.h"

namespace esper::tolaria {

/// The configuration that a run goes on with, and what of it is new.
struct ResumeChange {
    configs::EsperConfig config;
    std::vector<configs::Difference> changed;
};

/// Compares the wanted configuration with the run's own. What makes the run what it is (network,
/// data, arithmetic, threads, seed, optimizer, policy) cannot change; the length of the run, the
/// learning rate, checkpoints and the like can. `auto` precision and 0 threads stand for the run's
/// own choice. Errors: kChangedRun, naming every key that differs.
Result<ResumeChange> check_resume(const records::RunFolder& folder,
                                  const configs::EsperConfig& wanted);

/// Errors: kAlreadyDone when no step is left, or the run ended early for the reason `early`, and
/// run.json says so.
Status check_unfinished(const records::RunFolder& folder, std::int64_t step, const Course& course,
                        double spent, const std::string& early = "");

/// Makes the change part of the run: config.yaml, and an event `resumed_with`. Nothing when nothing
/// changed.
Status write_changes(const ResumeChange& change, records::RunFolder& folder, std::int64_t step,
                     std::int64_t epoch);

}  // namespace esper::tolaria
