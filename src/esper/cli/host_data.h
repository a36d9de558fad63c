#pragma once

#include <memory>
#include <string>

#include "esper/configs/config.h"
#include "esper/services/tolaria/data/dataset.h"

namespace esper::cli {

/// Data at `path` as the network of a run reads it: divided as the run's data are, texts in the
/// run's own characters. Errors: AdaptError::kOtherTask for a run on anything but texts and tokens;
/// those of opening.
Result<std::shared_ptr<const tolaria::Dataset>> open_for_host(const configs::EsperConfig& run,
                                                              const tolaria::DatasetInfo& info,
                                                              const std::string& path);

}  // namespace esper::cli
