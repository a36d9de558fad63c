#pragma once

#include "esper/configs/config.h"
#include "esper/engine/tensor_store.h"
#include "esper/exchange/importers/pt2.h"
#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// Whether `model.path` names a model exported from Python: it ends in `.pt2`.
bool is_exported_model(const configs::EsperConfig& config);

/// Reads the model that `model.path` names and checks that it can be trained on the data: one input
/// for a batch, one output `logits` with enough classes. Errors: those of import_pt2();
/// kUnsupported if model and data do not fit, with what to export or set instead.
Result<graph::ImportedModel> import_host(const configs::EsperConfig& config,
                                         const DatasetInfo& data);

/// Copies the same model's weights into a store that already has the tensors of its Program.
Status load_host_weights(const configs::EsperConfig& config, graph::TensorStore& store);

}  // namespace esper::tolaria
