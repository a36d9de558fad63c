// The pages that a browser shows: of a run's folder, and of finished networks beside each other.

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/services/records/pareto_page.h"
#include "esper/services/records/report_data.h"

namespace esper::records {
namespace {

namespace fs = std::filesystem;

const fs::path kRun = fs::path(ESPER_SOURCE_DIR) / "tests/fixtures/run-v1";

bool says(const std::string& page, const std::string& text) {
    return page.find(text) != std::string::npos;
}

std::size_t count(const std::string& page, const std::string& text) {
    std::size_t found = 0;
    for (auto at = page.find(text); at != std::string::npos; at = page.find(text, at + 1)) ++found;
    return found;
}

TEST(ReportPage, HoldsARunAndAsksNobodyForAnything) {
    const TemporaryFolder folder;
    const auto run = folder / "run", file = folder / "report.html";
    fs::create_directory(run);  // without its journal, which only the engine can check
    for (const auto* name : {"run.json", "events.jsonl", "metrics.csv", "config.yaml"})
        fs::copy_file(kRun / name, run / name);
    const auto written = write_report(run, file);
    ASSERT_TRUE(written) << written.error().to_string();
    const auto page = value_or_throw(read_file(file));
    EXPECT_TRUE(says(page, "<title>Esper: shakespeare</title>"));
    EXPECT_TRUE(says(page, "Content-Security-Policy"));
    EXPECT_TRUE(says(page, "the window for growth is open"));
    EXPECT_FALSE(says(page, "@TITLE@"));
    EXPECT_FALSE(says(page, "src=\"http"));
}

TEST(ReportPage, AFolderWithoutARunIsRefusedAndNothingIsWritten) {
    const TemporaryFolder folder;
    EXPECT_FALSE(write_report(folder / "nothing", folder / "report.html"));
    EXPECT_FALSE(fs::exists(folder / "report.html"));
}

ParetoPoint network(const std::string& name, const std::string& trunk, double loss, double flops,
                    double parameters, double milliseconds) {
    ParetoPoint point;
    point.name = name;
    point.trunk = trunk;
    point.loss = loss;
    point.flops = flops;
    point.parameters = parameters;
    point.milliseconds = milliseconds;
    return point;
}

std::vector<ParetoPoint> networks() {
    return {network("small", "", 2, 1e9, 1e4, 1), network("grown at 1", "t", 1, 2e9, 2e4, 2),
            network("grown at 2", "t", 0.5, 4e9, 3e4, 0.5),
            network("<b>dear</b>", "", 1, 8e9, 2e4, 4)};
}

TEST(ParetoPage, TheBestAreThoseThatNoCheaperOneIsBetterThan) {
    auto points = networks();
    mark_the_best(points);
    const auto marks = [&](auto best) {
        std::string out;
        for (const auto& point : points) out += point.*best ? '1' : '0';
        return out;
    };
    EXPECT_EQ(marks(&ParetoPoint::best_by_flops), "1110");
    EXPECT_EQ(marks(&ParetoPoint::best_by_parameters), "1111") << "equal ones are both best";
    EXPECT_EQ(marks(&ParetoPoint::best_by_time), "0010");
}

TEST(ParetoPage, ShowsEachNetworkInEachPlotAndJoinsThoseOfATrunk) {
    auto points = networks();
    mark_the_best(points);
    const auto page = pareto_page(points);
    EXPECT_EQ(count(page, "<svg"), 3U);
    EXPECT_EQ(count(page, "<circle"), 12U);
    EXPECT_EQ(count(page, "class=\"curve\""), 3U);
    EXPECT_TRUE(says(page, "FLOPs parameters time</td>")) << "of the largest that was grown";
    EXPECT_FALSE(says(page, "0.00 %")) << "none of them has an accuracy";
    EXPECT_TRUE(says(page, "&lt;b&gt;dear&lt;/b&gt;"));
    EXPECT_FALSE(says(page, "<b>dear"));
}

}  // namespace
}  // namespace esper::records
