#include "esper/services/tolaria/run/determinism.h"

#include <ATen/Context.h>

namespace esper::tolaria {

void refuse_varying_operators(bool refuse) {
    auto& context = at::globalContext();
    context.setDeterministicAlgorithms(refuse, /*warn_only=*/false);
    // Filling fresh memory would cost time and hide nothing: no operator of a Program reads it.
    context.setDeterministicFillUninitializedMemory(false);
}

}  // namespace esper::tolaria
