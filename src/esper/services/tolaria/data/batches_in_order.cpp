#include "esper/services/tolaria/data/batches_in_order.h"

#include <algorithm>
#include <numeric>

namespace esper::tolaria {

Status take_in_order(const Dataset& data, Part part, std::uint32_t examples,
                     const std::function<void(const Batch&)>& take) {
    constexpr std::uint32_t kAtOnce = 256;
    Batch batch;
    for (std::uint32_t from = 0; from < examples; from += kAtOnce) {
        batch.indices.resize(std::min(kAtOnce, examples - from));
        std::iota(batch.indices.begin(), batch.indices.end(), from);
        ESPER_CHECK_STATUS(fill_batch(data, part, std::nullopt, batch));
        take(batch);
    }
    return {};
}

}  // namespace esper::tolaria
