#pragma once

#include <memory>
#include <string>

#include "esper/configs/config.h"
#include "esper/services/tolaria/data/dataset.h"

namespace esper::cli {

/// Data at `path` as the network of a run reads them that has learnt from `known`
/// (tolaria::open_like): divided as the run's data are, training images varied as its images are.
/// Errors: those of recognising and of opening.
Result<std::shared_ptr<const tolaria::Dataset>> open_for_host(const configs::EsperConfig& run,
                                                              const tolaria::Dataset& known,
                                                              const std::string& path);

}  // namespace esper::cli
