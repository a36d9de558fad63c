#pragma once

#include <memory>

#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// A data set whose probe part has taken the first so many examples of the training part; the other
/// parts are as they were. Immutable.
class LargerProbe final : public Dataset {
  public:
    /// `more`: fewer than the training part has.
    LargerProbe(std::shared_ptr<const Dataset> data, std::uint32_t more);

    const DatasetInfo& info() const override { return info_; }
    std::uint32_t size(Part part) const override;
    Status fill(Part part, std::span<const std::uint32_t> indices,
                const std::optional<Variation>& variation, InputBuffer inputs,
                TargetBuffer targets) const override;

  private:
    std::shared_ptr<const Dataset> data_;
    DatasetInfo info_;
    std::uint32_t more_;
};

}  // namespace esper::tolaria
