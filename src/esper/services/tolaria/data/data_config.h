#pragma once

#include "esper/configs/config.h"
#include "esper/services/tolaria/data/open_dataset.h"

namespace esper::tolaria {

/// What a configuration asks for of its data. `data.path` counts for data that come from files, and
/// for CIFAR-10 only where it is not the default text. The model's context stands in for a
/// `data.context` of 0. Of drawn images as many are made as `data.train_examples` says; of data
/// from files the trainer takes a part.
DataOptions data_options(const configs::EsperConfig& config);

}  // namespace esper::tolaria
