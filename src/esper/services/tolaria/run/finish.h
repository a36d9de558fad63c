#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "esper/base/error.h"
#include "esper/configs/config.h"
#include "esper/services/tolaria/learn/course.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

/// Where `run` is finished at a smaller budget: `RUN/finish/<budget>`, a run's folder of its own.
std::filesystem::path finish_folder(const std::filesystem::path& run,
                                    const configs::Budget& budget);

/// The configuration of that run: the trunk's with the smaller budget, and with nothing to be
/// finished at.
configs::EsperConfig finish_config(const configs::EsperConfig& trunk,
                                   const configs::Budget& budget);

/// Makes that folder out of the trunk's newest checkpoint from before the budget's cool-down: a run
/// that has stopped there, to be resumed. Events, metrics and journal are the trunk's up to there;
/// then comes the event `forked`. Every step before was made at the rate that a run of the smaller
/// budget would have had, so if the checkpoint is the one that the trunk keeps for it and the
/// warm-up is in steps, the finished network is that run's, to the bit. Nothing happens where the
/// folder holds a run already. `trunk` is the trunk's configuration.
/// Errors: kUnsupported where the trunk has no such budget, schedule or checkpoint, or has not come
/// so far, with what to do; those of reading a checkpoint and of RunFolder::create.
Status fork_at(const std::filesystem::path& run, const configs::EsperConfig& trunk,
               const configs::Budget& budget);

/// The smaller budgets whose cool-downs the trunk has reached, of those that it keeps checkpoints
/// for, smallest first.
Result<std::vector<configs::Budget>> reached_budgets(const std::filesystem::path& run,
                                                     const configs::EsperConfig& trunk);

}  // namespace esper::tolaria
