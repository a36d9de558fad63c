#include "esper/services/records/pareto_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "esper/base/text.h"
#include "esper/services/records/html_text.h"
#include "report_embedded.h"  // made by CMake from the files of report/

namespace esper::records {

namespace {

using Cost = double ParetoPoint::*;

/// A range of values on a length of pixels, by their logarithms or as they are.
class Scale {
  public:
    Scale(double low, double high, double from, double to, bool logarithmic)
        : from_(from), to_(to), log_(logarithmic && low > 0) {
        low_ = mapped(low);
        high_ = mapped(high);
        const double margin = std::max(0.06 * (high_ - low_), 1e-9 + 0.02 * std::fabs(high_));
        low_ -= margin;
        high_ += margin;
    }
    double at(double value) const {
        return from_ + (mapped(value) - low_) / (high_ - low_) * (to_ - from_);
    }
    /// The value at a share of the length.
    double value(double share) const {
        const double x = low_ + share * (high_ - low_);
        return log_ ? std::pow(10.0, x) : x;
    }

  private:
    double mapped(double value) const { return log_ ? std::log10(value) : value; }
    double low_ = 0, high_ = 1, from_, to_;
    bool log_;
};

constexpr double kWidth = 460, kHeight = 300, kLeft = 52, kRight = 16, kTop = 14, kBottom = 34;

Scale scale_of(const std::vector<ParetoPoint>& points, Cost cost, double from, double to,
               bool logarithmic) {
    const auto [low, high] = std::ranges::minmax(points, {}, cost);
    return {low.*cost, high.*cost, from, to, logarithmic};
}

std::string axes(const Scale& x, const Scale& y, std::string_view unit) {
    std::string out;
    constexpr int kTicks = 4;
    for (int i = 0; i <= kTicks; ++i) {
        const double share = static_cast<double>(i) / kTicks;
        const double px = kLeft + share * (kWidth - kLeft - kRight);
        const double py = kHeight - kBottom - share * (kHeight - kTop - kBottom);
        out += fmt::format(R"(<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>)"
                           R"(<text x="{0:.1f}" y="{3}" text-anchor="middle">{4}{5}</text>)",
                           px, kTop, kHeight - kBottom, kHeight - kBottom + 16,
                           human_count(x.value(share)), i == kTicks ? std::string(unit) : "");
        out += fmt::format(R"(<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>)"
                           R"(<text x="{3}" y="{4:.1f}" text-anchor="end">{5:.3f}</text>)",
                           kLeft, kWidth - kRight, py, kLeft - 6, py + 4, y.value(share));
    }
    return out;
}

/// The networks finished from one trunk are joined by a line, by rising cost.
std::string trunks(const std::vector<ParetoPoint>& points, Cost cost, const Scale& x,
                   const Scale& y) {
    std::map<std::string, std::vector<ParetoPoint>> by_trunk;
    for (const auto& p : points)
        if (!p.trunk.empty()) by_trunk[p.trunk].push_back(p);
    std::string out;
    for (auto& [trunk, own] : by_trunk) {
        std::ranges::sort(own, {}, cost);
        std::string path;
        for (const auto& p : own)
            path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x.at(p.*cost),
                                y.at(p.loss));
        out += fmt::format(R"x(<path class="curve" style="stroke:var(--kept)" d="{}"/>)x", path);
    }
    return out;
}

std::string plot(const std::vector<ParetoPoint>& points, Cost cost, bool ParetoPoint::*best,
                 std::string_view title, std::string_view unit) {
    const auto x = scale_of(points, cost, kLeft, kWidth - kRight, true);
    const auto y = scale_of(points, &ParetoPoint::loss, kHeight - kBottom, kTop, false);
    auto out =
        fmt::format(R"(<figure class="card"><figcaption>{0}</figcaption>)"
                    R"(<svg viewBox="0 0 {1} {2}" role="img" aria-label="loss against {0}">)",
                    title, kWidth, kHeight);
    out += axes(x, y, unit) + trunks(points, cost, x, y);
    for (const auto& p : points)
        out += fmt::format(
            R"x(<circle cx="{:.1f}" cy="{:.1f}" r="{}" style="fill:var({});stroke:var(--card)">)x"
            R"(<title>{}: loss {:.4f}, {}{}</title></circle>)",
            x.at(p.*cost), y.at(p.loss), p.*best ? 6 : 4, p.trunk.empty() ? "--val" : "--kept",
            escape_html(p.name), p.loss, human_count(p.*cost), unit);
    return out + "</svg></figure>\n";
}

std::string table(const std::vector<ParetoPoint>& points) {
    std::string out =
        "<div class=\"scroll card\"><table><thead><tr><th>network</th><th>loss</th>"
        "<th>accuracy</th><th>FLOPs spent</th><th>parameters</th><th>ms an example</th>"
        "<th>none better by</th></tr></thead><tbody>\n";
    for (const auto& p : points)
        out += fmt::format(
            "<tr><td>{}</td><td>{:.4f}</td><td>{}</td><td>{}</td><td>{}</td>"
            "<td>{:.4f}</td><td>{}{}{}</td></tr>\n",
            escape_html(p.name), p.loss,
            p.accuracy ? fmt::format("{:.2f} %", 100 * *p.accuracy) : "–", human_count(p.flops),
            human_count(p.parameters), p.milliseconds, p.best_by_flops ? "FLOPs " : "",
            p.best_by_parameters ? "parameters " : "", p.best_by_time ? "time" : "");
    return out + "</tbody></table></div>\n";
}

void mark(std::vector<ParetoPoint>& points, Cost cost, bool ParetoPoint::*best) {
    for (auto& p : points)
        p.*best = std::ranges::none_of(points, [&](const ParetoPoint& other) {
            const bool no_dearer = other.*cost <= p.*cost;
            return no_dearer &&
                   (other.loss < p.loss || (other.loss == p.loss && other.*cost < p.*cost));
        });
}

}  // namespace

void mark_the_best(std::vector<ParetoPoint>& points) {
    mark(points, &ParetoPoint::flops, &ParetoPoint::best_by_flops);
    mark(points, &ParetoPoint::parameters, &ParetoPoint::best_by_parameters);
    mark(points, &ParetoPoint::milliseconds, &ParetoPoint::best_by_time);
}

std::string pareto_page(const std::vector<ParetoPoint>& points) {
    std::string page =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        "<title>Quality against cost</title>\n<style>\n";
    page += kReportStyle;
    page +=
        "\n</style>\n</head>\n<body>\n<main>\n<h1>Quality against cost</h1>\n"
        "<p class=\"lead\">Each dot is a finished network; lower and further left is better. Green "
        "ones come from one growing run, joined by a line; blue ones were trained each on its own. "
        "A large dot: no other network has a lower loss for no more cost.</p>\n"
        "<div class=\"plots\">\n";
    page += plot(points, &ParetoPoint::flops, &ParetoPoint::best_by_flops, "FLOPs spent", " FLOPs");
    page +=
        plot(points, &ParetoPoint::parameters, &ParetoPoint::best_by_parameters, "parameters", "");
    page += plot(points, &ParetoPoint::milliseconds, &ParetoPoint::best_by_time,
                 "milliseconds an example", " ms");
    return page + "</div>\n" + table(points) + "</main>\n</body>\n</html>\n";
}

}  // namespace esper::records
