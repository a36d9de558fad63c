#include "esper/services/serving/metrics_text.h"

#include <fmt/format.h>

#include <cmath>

#include "esper/base/process_usage.h"

namespace esper::serving {

namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\n')
            out += "\\n";
        else if (c == '\\' || c == '"')
            out += {'\\', c};
        else
            out += c;
    }
    return out;
}

std::string number_of(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}

}  // namespace

MetricsText& MetricsText::begin(std::string_view name, std::string_view help,
                                std::string_view type) {
    name_ = name;
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    return *this;
}

MetricsText& MetricsText::gauge(std::string_view name, std::string_view help) {
    return begin(name, help, "gauge");
}

MetricsText& MetricsText::counter(std::string_view name, std::string_view help) {
    return begin(name, help, "counter");
}

MetricsText& MetricsText::value(const Fields& labels, double value) {
    std::string inside;
    for (const auto& [label, text] : labels)
        inside += fmt::format("{}{}=\"{}\"", inside.empty() ? "" : ",", label, escaped(text));
    text_ += name_ + (inside.empty() ? "" : "{" + inside + "}") + " " + number_of(value) + "\n";
    return *this;
}

MetricsText& MetricsText::process() {
    const auto usage = process_usage();
    if (!usage) return *this;
    gauge("process_resident_memory_bytes", "Resident memory of this process.")
        .value({}, static_cast<double>(usage->resident_bytes));
    gauge("process_open_fds", "File descriptors that this process has open.")
        .value({}, static_cast<double>(usage->descriptors));
    return gauge("process_threads", "Threads of this process.")
        .value({}, static_cast<double>(usage->threads));
}

Response MetricsText::response() const {
    return content("text/plain; version=0.0.4; charset=utf-8", text_);
}

}  // namespace esper::serving
