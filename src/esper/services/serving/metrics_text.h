#pragma once

#include <string>
#include <string_view>

#include "esper/services/serving/response.h"

namespace esper::serving {

/// Writes metrics as Prometheus reads them (text format 0.0.4). A label's values must come from a
/// small fixed set, such as states or routes: the id of a run or a seed would make a series each.
class MetricsText {
  public:
    /// Begins a metric, e.g. `esper_nissa_runs`; the values that follow are its own.
    MetricsText& gauge(std::string_view name, std::string_view help);
    /// The same for one that only rises; its name ends in `_total`.
    MetricsText& counter(std::string_view name, std::string_view help);
    MetricsText& value(const Fields& labels, double value);
    /// Memory, open files and threads of this process, under Prometheus' own names.
    MetricsText& process();

    const std::string& text() const { return text_; }
    /// As the response to GET /metrics.
    Response response() const;

  private:
    MetricsText& begin(std::string_view name, std::string_view help, std::string_view type);
    std::string name_;
    std::string text_;
};

}  // namespace esper::serving
