#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/run/trainer.h"

namespace esper::cli {

/// The newest values as a line of bars, `▁▃▇`; one that is no finite number is a blank.
std::string sparkline(const std::deque<double>& values);
/// What each place for a seed does, a sign each: `·` sleeps, `○` learns alone, `◐` is blended in,
/// `◕` is on trial, `●` was kept, `×` was taken out. At most `most` of them.
std::string seed_map(tolaria::Trainer& trainer, std::size_t most);
/// The text, or as much of it as has room in `columns` places of a terminal.
std::string_view clipped(std::string_view text, int columns);

/// What stands below the bar of a run on a terminal: its curves, its memory and its seeds.
class LivePanel {
  public:
    void add_epoch(double train_loss, double validation_loss, double examples_per_second);
    /// Lines without their ends.
    std::vector<std::string> lines(tolaria::Trainer& trainer, int columns, bool takes_keys) const;

  private:
    std::deque<double> train_, validation_, rate_;
};

}  // namespace esper::cli
