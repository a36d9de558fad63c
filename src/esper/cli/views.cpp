#include "esper/cli/views.h"

#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::cli {

Result<tolaria::TestTimeViews> views_for(const tolaria::DatasetInfo& info,
                                         const configs::EsperConfig& config) {
    const auto refuse = [](const std::string& why) {
        return fail(tolaria::TolariaError::kUnsupported, "--tta: " + why);
    };
    const bool chooses =
        info.task == tolaria::Task::kClassification || info.task == tolaria::Task::kMultiLabel;
    if (!chooses || info.input_shape.size() != 3)
        return refuse(
            "only classes and labels of images are averaged over views; the run was trained on " +
            info.name);
    const auto& augment = config.data.augment;
    const tolaria::TestTimeViews views{augment.flip, augment.shift > 0 ? 1 : 0};
    if (views.count() == 1)
        return refuse(
            "the run's images were neither mirrored (data.augment.flip) nor moved "
            "(data.augment.shift), so other views are strange to it");
    return views;
}

}  // namespace esper::cli
