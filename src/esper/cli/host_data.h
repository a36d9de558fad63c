#pragma once

#include <memory>
#include <string>
#include <vector>

#include "esper/configs/config.h"
#include "esper/services/tolaria/data/dataset.h"

namespace esper::cli {

/// Data at `path` as the network of a run reads them that has learnt from `known`
/// (tolaria::open_like): divided as the run's data are, training images varied as its images are.
/// `classes`: of its outputs, where an adapter has given them others. Of images and tables the
/// probe part takes training examples where it has too few to judge by.
/// Errors: those of recognising and of opening.
Result<std::shared_ptr<const tolaria::Dataset>> open_for_host(
    const configs::EsperConfig& run, const tolaria::Dataset& known, const std::string& path,
    const std::vector<std::string>& classes = {});

}  // namespace esper::cli
