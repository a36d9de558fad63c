#pragma once

#include "esper/configs/config.h"
#include "esper/engine/tensor_store.h"
#include "esper/exchange/importers/pt2.h"
#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// True where `model.path` names a model exported from Python, by its ending `.pt2`.
bool is_exported_model(const configs::EsperConfig& config);

/// The model that `model.path` names, fit for training on the data: one input for a batch, one
/// output `logits` with enough classes. Errors: those of import_pt2(); kUnsupported where model and
/// data do not go together, with what to export or set instead.
Result<graph::ImportedModel> import_host(const configs::EsperConfig& config,
                                         const DatasetInfo& data);

/// The same model's weights, into a store that its Program has been added to.
Status load_host_weights(const configs::EsperConfig& config, graph::TensorStore& store);

}  // namespace esper::tolaria
