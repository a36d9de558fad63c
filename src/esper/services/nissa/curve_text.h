#pragma once

#include <string>

#include "esper/services/nissa/run.h"

namespace esper::nissa {

/// The curves that are asked for over a stretch of `series`, as JSON text (see Run::curves);
/// `rows` is how many the whole run has. Error: kBadQuery for a metric that is no column.
Result<std::string> curve_text(const Series& series, const CurveQuery& query, std::size_t x,
                               Series::Range range, std::size_t rows);

}  // namespace esper::nissa
