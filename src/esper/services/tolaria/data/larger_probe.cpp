#include "esper/services/tolaria/data/larger_probe.h"

#include "esper/base/hash.h"

namespace esper::tolaria {

LargerProbe::LargerProbe(std::shared_ptr<const Dataset> data, std::uint32_t more)
    : data_(std::move(data)), info_(data_->info()), more_(more) {
    info_.fingerprint = Sha256Hasher()
                            .update_field("larger probe")
                            .update_field(info_.fingerprint)
                            .update_u64(more)
                            .finish()
                            .hex();
}

std::uint32_t LargerProbe::size(Part part) const {
    const auto own = data_->size(part);
    if (part == Part::kTrain) return own - more_;
    return part == Part::kProbe ? own + more_ : own;
}

Status LargerProbe::fill(Part part, std::span<const std::uint32_t> indices,
                         const std::optional<Variation>& variation, InputBuffer inputs,
                         TargetBuffer targets) const {
    if (part != Part::kTrain && part != Part::kProbe)
        return data_->fill(part, indices, variation, inputs, targets);
    const auto own = data_->size(Part::kProbe);
    for (const auto index : indices) {
        if (index >= size(part)) return bad_index(info_.name, part, index, size(part));
        const bool taken = part == Part::kProbe && index >= own;
        const auto from = taken ? Part::kTrain : part;
        const std::uint32_t at = taken ? index - own : part == Part::kTrain ? index + more_ : index;
        ESPER_CHECK_STATUS(data_->fill(from, std::span(&at, 1), variation, inputs, targets));
        if (inputs.pixels != nullptr) inputs.pixels += info_.input_elements();
        if (inputs.tokens != nullptr) inputs.tokens += info_.input_elements();
        if (targets.classes != nullptr) targets.classes += info_.target_elements();
        if (targets.values != nullptr) targets.values += info_.target_elements();
    }
    return {};
}

}  // namespace esper::tolaria
