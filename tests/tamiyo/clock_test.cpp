#include "esper/services/tamiyo/clock.h"

#include <gtest/gtest.h>

namespace esper::tamiyo {
namespace {

/// A network with 1,000 parameters in its blocks, 1,000 more after the split.
ClockView at(std::int64_t step, double seen, double in_the_end) {
    ClockView view;
    view.step = step;
    view.seen = seen;
    view.seen_at_end = in_the_end;
    view.parameters = 1'000;
    view.parameters_of_block = 1'000;
    return view;
}

TEST(Clock, SplitsByExamplesForEachParameterNowAndInTheEnd) {
    const configs::ClockConfig clock;  // 12 and 30
    struct Row {
        ClockView view;
        bool split;
        const char* why;
    };
    const auto changed = [](ClockView view, auto change) {
        change(view);
        return view;
    };
    const std::vector<Row> rows{
        {at(1400, 12'000, 60'000), true, "12 examples"},
        {at(1400, 11'999, 60'000), false, "controller.clock.ratio"},
        {at(1400, 12'000, 59'999), false, "too short"},
        {at(999, 90'000, 900'000), false, "before step 1000"},
        {at(1000, 90'000, 900'000), true, "90 examples"},
        {changed(at(1400, 90'000, 900'000), [](auto& v) { v.on_trial = true; }), false, "on trial"},
        {changed(at(1400, 90'000, 900'000),
                 [](auto& v) {
                     v.growth_open = false;
                     v.why_shut = "the cool-down";
                 }),
         false, "the cool-down"},
        {changed(at(1400, 23'999, 900'000), [](auto& v) { v.taken_back = 1; }), false, "doubled"},
        {changed(at(1400, 24'000, 900'000), [](auto& v) { v.taken_back = 1; }), true,
         "24 examples"},
        {changed(at(1400, 47'999, 900'000), [](auto& v) { v.taken_back = 2; }), false, "doubled"},
    };
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto answer = ask_clock(clock, rows[i].view);
        EXPECT_EQ(answer.split, rows[i].split) << "row " << i << ": " << answer.why;
        EXPECT_NE(answer.why.find(rows[i].why), std::string::npos)
            << "row " << i << ": " << answer.why;
    }
}

TEST(Clock, SaysWhatItCounted) {
    const auto answer = ask_clock({}, at(1400, 12'000, 70'000));
    EXPECT_EQ(answer.evidence.at("examples_per_parameter"), 12);
    EXPECT_EQ(answer.evidence.at("final_examples_per_parameter"), 35);
}

}  // namespace
}  // namespace esper::tamiyo
