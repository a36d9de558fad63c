// Blocks that become two, and the way back.

#include <algorithm>

#include "esper/services/tolaria/run/trainer.h"

namespace esper::tolaria {

// Between two steps, after whatever belongs to an epoch's end, so that the checkpoint of this step
// holds the network before the split. A run that is resumed from it splits here once more.
Result<std::optional<Trouble>> Trainer::mind_splits() {
    if (!growth_) return std::optional<Trouble>{};
    auto& splits = growth_->splits();
    const bool trial = splits.on_trial() != nullptr;
    ESPER_TRY(auto trouble, splits.judge(now_));
    if (trouble) return trouble;
    if (trial && splits.on_trial() == nullptr) ring_.hold(std::nullopt);
    if (!splits.is_clocked() || growth_->is_paused() || images_have_changed())
        return std::optional<Trouble>{};
    ESPER_TRY(const auto wish, splits.ask(now_, history_.splits_taken_back()));
    if (wish) ESPER_CHECK_STATUS(split(*wish));
    return std::optional<Trouble>{};
}

Status Trainer::split(const BlockSplits::Wish& wish) {
    const auto on_disk = ring_.steps();
    if (std::ranges::find(on_disk, now_.step) == on_disk.end())
        ESPER_CHECK_STATUS(save(CheckpointKind::kRegular));
    ring_.hold(now_.step);
    ESPER_CHECK_STATUS(growth_->split(wish, now_));
    flops_.recording += learner_.engine().take_recording_flops();
    return write_run_json(RunStatus::kRunning);
}

// A loss that runs away while a split is on trial is the split's.
Trouble Trainer::blame_split(Trouble trouble) const {
    const bool blamed = growth_ && growth_->splits().on_trial() != nullptr;
    if (!blamed || trouble.kind == TroubleKind::kRequest) return trouble;
    if (trouble.kind != TroubleKind::kSplit)
        trouble.reason =
            "after block " + growth_->splits().on_trial()->block + " was split: " + trouble.reason;
    trouble.kind = TroubleKind::kSplit;
    return trouble;
}

}  // namespace esper::tolaria
