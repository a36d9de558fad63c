#pragma once

#include "esper/configs/config.h"
#include "esper/services/tolaria/learn/test_time.h"

namespace esper::cli {

inline constexpr const char* kTtaHelp =
    "average over the image, its mirror image and moved images, as far as the run was trained on "
    "such "
    "(test-time augmentation)";

/// The views for --tta: of the kinds by which the training images were changed. Error: kUnsupported
/// for a run on no images with classes or labels, and for one whose images were neither mirrored
/// nor moved.
Result<tolaria::TestTimeViews> views_for(const tolaria::DatasetInfo& info,
                                         const configs::EsperConfig& config);

}  // namespace esper::cli
