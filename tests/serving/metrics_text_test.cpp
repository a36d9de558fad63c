#include "esper/services/serving/metrics_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace esper::serving {
namespace {

TEST(MetricsTextTest, MetricsAreWrittenAsPrometheusReadsThem) {
    MetricsText metrics;
    metrics.gauge("esper_runs", "Runs by state.")
        .value({{"state", "running"}}, 2)
        .value({{"state", "a\"b\\c\nd"}, {"role", "nissa"}}, 0.5);
    metrics.counter("esper_requests_total", "Requests.").value({}, 1e10);
    EXPECT_EQ(metrics.text(),
              "# HELP esper_runs Runs by state.\n# TYPE esper_runs gauge\n"
              "esper_runs{state=\"running\"} 2\n"
              "esper_runs{state=\"a\\\"b\\\\c\\nd\",role=\"nissa\"} 0.5\n"
              "# HELP esper_requests_total Requests.\n# TYPE esper_requests_total counter\n"
              "esper_requests_total 10000000000\n");
    EXPECT_EQ(metrics.response().content_type, "text/plain; version=0.0.4; charset=utf-8");
}

TEST(MetricsTextTest, WhatIsNotFiniteHasTheNamesOfTheFormat) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    MetricsText metrics;
    metrics.gauge("g", "h")
        .value({}, kInfinity)
        .value({}, -kInfinity)
        .value({}, std::numeric_limits<double>::quiet_NaN());
    EXPECT_NE(metrics.text().find("g +Inf\ng -Inf\ng NaN\n"), std::string::npos);
}

TEST(MetricsTextTest, TheProcessTellsWhatItTakes) {
    const auto text = MetricsText().process().text();
    EXPECT_NE(text.find("process_resident_memory_bytes "), std::string::npos);
    EXPECT_NE(text.find("process_open_fds "), std::string::npos);
}

}  // namespace
}  // namespace esper::serving
