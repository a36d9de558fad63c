#include "esper/services/tolaria/grow/probe_walk.h"

#include "esper/services/tolaria/learn/evaluation.h"
#include "esper/services/tolaria/learn/flops.h"
#include "esper/services/tolaria/learn/input_cost.h"

namespace esper::tolaria {

Result<double> ProbeSide::cost(std::int64_t examples, const DatasetInfo& info) {
    if (!cost_) {
        ESPER_TRY(cost_, cost_on(*program_, info));
    }
    return forward_flops(*cost_, examples);
}

Result<double> ProbeSide::walk(const ExampleSource& source,
                               std::span<const std::uint32_t> examples) {
    auto& store = learner_.store();
    if (!control_.empty()) ESPER_CHECK_STATUS(store.set_control(control_, alpha_));
    std::int64_t passed = 0;
    if (begun_) {
        statistics_.put_back(store);
    } else {
        ESPER_TRY(passed, recalibrate(learner_.engine(), program_, store, source));
        statistics_.keep(store);
        begun_ = true;
    }
    ESPER_TRY(const auto seen, losses_of(learner_.engine(), program_, store, source.dataset,
                                         Part::kProbe, source.batch_size, examples));
    losses_.insert(losses_.end(), seen.begin(), seen.end());
    return cost(passed + static_cast<std::int64_t>(seen.size()), source.dataset.info());
}

std::vector<float> differences(const ProbeSide& a, const ProbeSide& b) {
    std::vector<float> d;
    d.reserve(a.losses().size());
    for (std::size_t i = 0; i < a.losses().size(); ++i) d.push_back(a.losses()[i] - b.losses()[i]);
    return d;
}

}  // namespace esper::tolaria
