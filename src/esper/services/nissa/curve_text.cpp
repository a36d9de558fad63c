#include "esper/services/nissa/curve_text.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace esper::nissa {

namespace {

void put_list(std::string& out, const std::vector<double>& values) {
    out += '[';
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) out += ',';
        if (std::isfinite(values[i]))
            fmt::format_to(std::back_inserter(out), "{}", values[i]);
        else
            out += "null";
    }
    out += ']';
}

}  // namespace

Result<std::string> curve_text(const Series& series, const CurveQuery& query, std::size_t x,
                               Series::Range range, std::size_t rows) {
    const bool is_exact = series.rows_per_bucket() == 1 && range.size() <= query.points;
    std::string out = fmt::format("{{\"rows\":{},\"exact\":{},\"damaged\":{},\"x\":", rows,
                                  is_exact, series.damaged_lines());
    put_list(out, series.curve(x, range, query.points).high);
    out += ",\"curves\":{";
    bool is_first = true;
    for (const auto& metric : query.metrics) {
        const auto column = series.find(metric);
        if (!column)
            return fail(NissaError::kBadQuery,
                        fmt::format("metrics.csv has no column '{}'", metric));
        const auto curve = series.curve(*column, range, query.points);
        out += fmt::format("{}{}:", is_first ? "" : ",", nlohmann::json(metric).dump());
        is_first = false;
        if (is_exact) {
            put_list(out, curve.mean);
            continue;
        }
        out += "{\"low\":";
        put_list(out, curve.low);
        out += ",\"high\":";
        put_list(out, curve.high);
        out += ",\"mean\":";
        put_list(out, curve.mean);
        out += '}';
    }
    return out + "}}";
}

}  // namespace esper::nissa
