#include "esper/services/tolaria/run/early_stopping.h"

#include <fmt/format.h>

#include <limits>

namespace esper::tolaria {

std::string why_it_learns_no_more(const configs::EarlyStoppingConfig& config,
                                  const std::vector<double>& losses) {
    const double patience = config.patience.value;
    if (patience <= 0) return "";
    double best = std::numeric_limits<double>::infinity();
    std::size_t at = 0;
    for (std::size_t i = 0; i < losses.size(); ++i)
        if (losses[i] < best - config.min_delta) {
            best = losses[i];
            at = i;
        }
    if (losses.empty() || static_cast<double>(losses.size() - 1 - at) < patience) return "";
    return fmt::format(
        "the validation loss has not fallen{} for {} epochs, since it was {:.4f} "
        "after epoch {}",
        config.min_delta > 0 ? fmt::format(" by {:g}", config.min_delta) : "",
        losses.size() - 1 - at, best, at + 1);
}

}  // namespace esper::tolaria
