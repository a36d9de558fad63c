#pragma once

#include <string>

#include "esper/blueprints/catalogue.h"
#include "esper/engine/tensor_store.h"
#include "esper/services/tolaria/grow/measurer.h"

namespace esper::tolaria {

/// Writes the first values of a germinated seed's last layer over those that were drawn for it.
/// Does nothing where the store has no such layer.
void write_first_readout(const graph::TensorStore& store, const std::string& seed,
                         const blueprints::Blueprint& blueprint, const FirstReadout& readout);

}  // namespace esper::tolaria
