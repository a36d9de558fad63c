#pragma once

#include <set>
#include <sstream>

#include "tolaria/small_runs.h"

/// Runs that are stopped, resumed and compared with undisturbed ones.
namespace esper::tolaria::testing_runs {

/// Ends and resumes the run after each of these steps, in a new trainer each time.
inline void run_in_pieces(const configs::EsperConfig& config, const fs::path& folder,
                          const std::set<std::int64_t>& steps) {
    auto trainer = start(config, folder);
    for (auto step : steps) {
        trainer->stop_after(step - trainer->step());
        ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
        trainer.reset();
        trainer = value_or_throw(Trainer::resume(config, folder));
        EXPECT_EQ(trainer->step(), step);
    }
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
}

/// Steps shortly after each change of a seed's state, and one before the first.
inline std::set<std::int64_t> steps_in_each_state(const fs::path& folder, std::int64_t last) {
    std::set<std::int64_t> steps{2};
    for (const auto& decision : events_of(folder, "decision"))
        steps.insert(decision.at("step").get<std::int64_t>() + 1);
    std::erase_if(steps, [last](auto step) { return step >= last; });
    return steps;
}

/// Rows of metrics.csv as numbers' texts, by the name of the column.
inline std::vector<std::map<std::string, std::string>> metrics_of(const fs::path& folder) {
    std::istringstream lines(text_of(folder / "metrics.csv"));
    const auto split = [](const std::string& line) {
        std::vector<std::string> fields;
        std::istringstream in(line);
        for (std::string field; std::getline(in, field, ',');) fields.push_back(field);
        return fields;
    };
    std::string line;
    std::getline(lines, line);
    const auto names = split(line);
    std::vector<std::map<std::string, std::string>> rows;
    while (std::getline(lines, line)) {
        const auto fields = split(line);
        auto& row = rows.emplace_back();
        for (std::size_t i = 0; i < names.size() && i < fields.size(); ++i)
            row[names[i]] = fields[i];
    }
    return rows;
}

inline std::vector<nlohmann::json> decisions_of(const fs::path& folder,
                                                const std::string& command) {
    auto all = events_of(folder, "decision");
    std::erase_if(all, [&](const auto& d) { return d.at("command") != command; });
    return all;
}

}  // namespace esper::tolaria::testing_runs
