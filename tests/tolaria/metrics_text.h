#pragma once

#include <sstream>
#include <string>

namespace esper::tolaria::testing_runs {

/// metrics.csv without its last three columns, `seconds`, `examples_per_second` and
/// `resident_bytes`: all that may differ between two runs of one configuration.
inline std::string metrics_but_time(const std::string& csv) {
    std::string out;
    std::istringstream in(csv);
    for (std::string line; std::getline(in, line);) {
        for (int column = 0; column < 3; ++column) line.resize(line.rfind(','));
        out += line + "\n";
    }
    return out;
}

}  // namespace esper::tolaria::testing_runs
