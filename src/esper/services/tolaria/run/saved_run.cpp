#include "esper/services/tolaria/run/saved_run.h"

namespace esper::tolaria {

namespace {

using saved::Json;

void upgrade_from_1(Json& state) {
    state["version"] = SavedRun::kVersion;
    if (state.contains("spikes"))
        saved::name_members(state["spikes"], {"seen", "mean", "variance"});
    if (auto rollback = state.find("rollback"); rollback != state.end() && rollback->is_object()) {
        (*rollback)["trouble_step"] = -1;
        (*rollback)["trouble"] = "";
        (*rollback)["losses_before"] = 0;
    }
    auto total = state.find("flops_total");
    if (total == state.end() || !total->is_number()) return;
    double spent = total->get<double>();
    // What growth had spent since the last epoch was kept apart.
    if (auto growth = state.find("growth"); growth != state.end() && growth->is_object())
        if (auto more = growth->find("flops"); more != growth->end() && more->is_number())
            spent += more->get<double>();
    Flops flops;
    flops.unattributed = spent;
    state["flops"] = saved::write(flops);
}

// The rate of every later step is read off it.
std::string problem_of(const SavedCourse& course, std::int64_t step) {
    if (course.last_boundary < 0 || course.last_boundary > step)
        return "'course.last_boundary' is no step of the run";
    std::int64_t before = -1;
    for (const auto& mark : course.marks) {
        if (mark.step <= before || mark.step > step || !(mark.spent >= 0) || !(mark.step_cost >= 0))
            return "'course.marks' are not in the order of their steps, or of no cost";
        before = mark.step;
    }
    return "";
}

}  // namespace

Result<SavedRun> read_saved_run(const Checkpoint& checkpoint) {
    auto json = Json::parse(checkpoint.state, nullptr, false);
    const auto bad = [](const std::string& problem) {
        return fail(TolariaError::kBadCheckpoint, "the checkpoint cannot be read: " + problem);
    };
    if (!json.is_object()) return bad("its state is not a JSON object");
    const auto version = saved::version_of(json);
    if (version < 1 || version > SavedRun::kVersion)
        return bad("it is of version " + std::to_string(version) + ", this build reads 1 to " +
                   std::to_string(SavedRun::kVersion));
    if (version == 1) upgrade_from_1(json);
    // Once they were counted as training.
    if (auto flops = json.find("flops"); flops != json.end() && flops->is_object())
        flops->emplace("shadows", 0.0);
    SavedRun state;
    if (const auto problem = saved::read(json, state); !problem.empty()) return bad(problem);
    // Files are cut back to these lengths: no others than a run's own.
    for (const auto& [name, length] : state.lengths)
        if (name != "events.jsonl" && name != "metrics.csv" && name != "event_times.csv")
            return bad("'lengths' names a file '" + name + "' that does not grow with a run");
    if (state.step < 0) return bad("'step' is negative");
    if (state.course)
        if (const auto problem = problem_of(*state.course, state.step); !problem.empty())
            return bad(problem);
    return state;
}

}  // namespace esper::tolaria
