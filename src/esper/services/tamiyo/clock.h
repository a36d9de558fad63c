#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "esper/configs/controller.h"

namespace esper::tamiyo {

/// What the clock is asked with. "Examples" are images or rows, and characters of a text.
struct ClockView {
    std::int64_t step = 0;  ///< optimizer steps done
    bool growth_open = true;
    std::string why_shut = {};  ///< where growth is not open
    /// A split whose effect on the training loss is still awaited.
    bool on_trial = false;
    int taken_back = 0;              ///< splits that the run took back
    double seen = 0;                 ///< examples
    double seen_at_end = 0;          ///< the same at the end of the run if the block is split now
    double parameters = 0;           ///< of the network's blocks
    double parameters_of_block = 0;  ///< of the one that would be split
};

struct ClockAnswer {
    bool split = false;
    std::string why = {};
    std::map<std::string, double> evidence = {};
};

/// Whether a block is split now: when the blocks have seen `ratio` examples for each parameter, and
/// enough of the run is left for `final_ratio` of them for each parameter of the larger network.
/// `ratio` doubles with each split that was taken back. Measures nothing.
ClockAnswer ask_clock(const configs::ClockConfig& clock, const ClockView& view);

}  // namespace esper::tamiyo
