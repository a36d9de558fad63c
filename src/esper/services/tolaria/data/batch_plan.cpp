#include "esper/services/tolaria/data/batch_plan.h"

#include <algorithm>
#include <numeric>

#include "esper/base/random.h"

namespace esper::tolaria {

BatchPlan::BatchPlan(std::uint32_t examples, std::uint32_t batch, std::optional<std::uint64_t> seed)
    : examples_(std::max(examples, 1U)),
      batch_(std::clamp(batch, 1U, examples_)),
      seed_(seed),
      steps_per_epoch_(seed ? examples_ / batch_ : (examples_ + batch_ - 1) / batch_) {}

BatchPlan BatchPlan::shuffled(std::uint32_t examples, std::uint32_t batch, std::uint64_t seed) {
    return {examples, batch, seed};
}

BatchPlan BatchPlan::in_order(std::uint32_t examples, std::uint32_t batch) {
    return {examples, batch, std::nullopt};
}

void BatchPlan::batch(std::uint64_t step, std::vector<std::uint32_t>& indices) {
    const std::uint64_t epoch = epoch_of(step);
    const auto first = static_cast<std::uint32_t>((step - epoch * steps_per_epoch_) * batch_);
    const std::uint32_t count = std::min(batch_, examples_ - first);
    indices.resize(count);
    if (!seed_) {
        std::iota(indices.begin(), indices.end(), first);
        return;
    }
    if (ordered_epoch_ != epoch) {
        RandomStream stream(*seed_, "shuffle", epoch);
        order_ = random_permutation(stream, examples_);
        ordered_epoch_ = epoch;
    }
    std::copy_n(order_.begin() + first, count, indices.begin());
}

}  // namespace esper::tolaria
