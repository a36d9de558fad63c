#pragma once

#include <memory>
#include <optional>

#include "esper/configs/config.h"
#include "esper/core/hosts/host.h"
#include "esper/core/model_wrapper.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/data/soft_targets.h"
#include "esper/services/tolaria/learn/course.h"

namespace esper::tolaria {

/// The data set a configuration asks for, at the last size of data.resolution.
Result<std::shared_ptr<const Dataset>> open_data(const configs::EsperConfig& config);

/// The host a configuration asks for, sized for the data.
Result<graph::ProgramPtr> make_host(const configs::EsperConfig& config, const DatasetInfo& data);

/// The places that growth.anchors and growth.seeds_per_anchor give this host, in the host's order.
/// Errors: kUnsupported when there are none, when an anchor has fewer features than seeds, or when
/// one of growth.blueprints names nothing that fits there.
Result<core::WrappedModel> growth_places(const configs::GrowthConfig& growth,
                                         const graph::ProgramPtr& host);

/// What makes the targets of the training batches other than one class for each example; nothing
/// where nothing does. Errors: kUnsupported for a key that does not fit the data.
Result<std::optional<SoftTargets>> soft_targets_of(const configs::EsperConfig& config,
                                                   const Dataset& data);

/// Lengths of a run in steps.
struct RunLength {
    std::int64_t steps_per_epoch = 0;
    std::int64_t total_steps = 0;  ///< 0: not known beforehand
};
/// Refuses a batch that is larger than the examples that a run learns from. Errors: kUnsupported.
Status check_batch_size(const configs::EsperConfig& config, const Dataset& data);
/// Examples in each optimizer step.
std::int64_t examples_a_step(const configs::EsperConfig& config, const Dataset& data);
/// Of a run of epochs; a budget is not looked at.
RunLength run_length(const configs::EsperConfig& config, const Dataset& data);
/// The same of any run. With a budget of FLOPs the length is what the host alone could do with it,
/// the most there can be; with one of seconds it is not known beforehand, and 0. Errors: those of
/// count_cost; kUnsupported for a budget that is less than one step.
Result<RunLength> planned_length(const configs::EsperConfig& config, const Dataset& data,
                                 const graph::ProgramPtr& host);
std::uint32_t train_examples(const configs::EsperConfig& config, const Dataset& data);
LearningRateSchedule schedule_of(const configs::EsperConfig& config, const RunLength& length);
Course course_of(const configs::EsperConfig& config, const RunLength& length);

}  // namespace esper::tolaria
