#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/run_state.h"
#include "esper/exchange/importers/pt2.h"
#include "esper/program/binary/binary_format.h"
#include "esper/program/cost/cost.h"
#include "esper/program/edits/seed_names.h"
#include "esper/program/text/text_format.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/records/run_files.h"
#include "esper/services/records/seed_stories.h"

namespace esper::cli {

namespace {

using records::printable;

using nlohmann::json;

// A run's folder, a checkpoint, a Program in either form, or an exported model.
Result<graph::ProgramPtr> find_program(const std::filesystem::path& path) {
    ESPER_TRY(const auto content, read_file(path));
    if (content.starts_with("ESPRCKPT")) {
        ESPER_TRY(auto run, load_checkpoint(path));
        return run.program();
    }
    if (content.starts_with("ESPRPROG")) return graph::from_binary(content);
    if (content.starts_with("esper-program")) return graph::from_text(content);
    if (content.starts_with("PK")) {
        ESPER_TRY(auto model, graph::import_pt2(path));
        for (const auto& note : model.notes) std::fprintf(stderr, "esper: %s\n", note.c_str());
        return model.program;
    }
    return fail(FileError::kNotEnvelope,
                path.string() + " is no run's folder, checkpoint, Program or .pt2 file");
}

Result<json> describe(const graph::Program& program) {
    ESPER_TRY(const auto cost, graph::count_cost(program));
    std::map<std::string, int> operators;
    for (const auto& instruction : program.instructions()) ++operators[instruction.op];
    json anchors = json::array();
    for (const auto& anchor : program.anchors())
        anchors.push_back({{"name", anchor.name},
                           {"kind", graph::anchor_kind_name(anchor.kind)},
                           {"features", anchor.features}});
    json seeds = json::array();
    for (const auto& seed : graph::seeds_in(program)) {
        std::int64_t parameters = 0;
        for (const auto& p : program.parameters())
            if (p.name.starts_with(graph::seed_prefix(seed.seed))) parameters += p.type.numel();
        seeds.push_back({{"seed", seed.seed},
                         {"anchor", seed.anchor},
                         {"mode", graph::seed_mode_name(seed.mode)},
                         {"parameters", parameters}});
    }
    return json{{"program", program.name()},
                {"program_sha256", program.hash().hex()},
                {"parameters", program.parameter_count()},
                {"flops_per_example", cost.forward_flops},
                {"training_flops_per_example", cost.training_flops},
                {"instructions", program.instructions().size()},
                {"operators", operators},
                {"anchors", anchors},
                {"seeds", seeds}};
}

std::string word(const json& value) { return value.get<std::string>(); }

void print(const json& d) {
    std::printf("%s  %s\n", word(d["program"]).c_str(), word(d["program_sha256"]).c_str());
    std::printf("%s parameters, %s FLOPs an example forward, %s in training\n",
                human_count(d["parameters"].get<double>()).c_str(),
                human_count(d["flops_per_example"].get<double>()).c_str(),
                human_count(d["training_flops_per_example"].get<double>()).c_str());
    std::printf("operators\n");
    for (const auto& [name, count] : d["operators"].items())
        std::printf("  %4d  %s\n", count.get<int>(), name.c_str());
    std::printf("anchors\n");
    for (const auto& a : d["anchors"])
        std::printf("  %-24s %-7s %lld features\n", word(a["name"]).c_str(),
                    word(a["kind"]).c_str(), a["features"].get<long long>());
    std::printf(d["seeds"].empty() ? "no seeds\n" : "seeds\n");
    for (const auto& s : d["seeds"])
        std::printf("  %-24s %-9s at %s, %lld parameters\n", word(s["seed"]).c_str(),
                    word(s["mode"]).c_str(), word(s["anchor"]).c_str(),
                    s["parameters"].get<long long>());
}

// What only a run knows: which seeds lived in it, and the edits that led to this Program.
Status add_history(json& description, const RunState& state, const std::filesystem::path& folder) {
    ESPER_TRY(const auto run, records::read_run_json(folder));
    ESPER_TRY(const auto journal, journal_of(state, folder));
    ESPER_TRY(const auto events, records::read_events(folder));
    description["run"] = run;
    description["checkpoint"] = state.checkpoint;
    description["step"] = state.step;
    description["lives"] = json::array();
    for (const auto& story : records::seed_stories(events))
        description["lives"].push_back(records::to_json(story));
    description["lineage"] = json::array();
    for (const auto& entry : journal)
        description["lineage"].push_back({{"edit", entry.index},
                                          {"step", entry.step},
                                          {"program_sha256", entry.program_sha256},
                                          {"reason", entry.reason}});
    return {};
}

// Native kernels, as the process that wrote the run's record last has called them.
void print_kernels(const json& kernels) {
    const auto use = kernels.value("use", json::object());
    if (!use.is_object() || use.empty()) return;
    std::printf("native kernels\n");
    for (const auto& seed : kernels.value("seeds", json::array())) {
        const auto name = records::text_of(seed, "seed");
        const auto of = use.value(name, json::object());
        if (records::text_of(seed, "kernel").empty() || of.empty()) continue;
        const auto fault = records::text_of(seed, "fault");
        std::printf("  %-5s %s: %lld calls (%lld on probation), %.0f us each, %lld errors%s%s\n",
                    printable(name).c_str(), printable(records::text_of(seed, "kernel")).c_str(),
                    static_cast<long long>(records::integer_of(of, "calls")),
                    static_cast<long long>(records::integer_of(of, "guarded")),
                    records::number_of(of, "mean_us").value_or(0),
                    static_cast<long long>(records::integer_of(of, "errors")),
                    fault.empty() ? "" : "; out of use: ", printable(fault).c_str());
    }
}

void print_history(const json& d, const RunState& state) {
    std::printf(
        "run %s: %s after %lld steps; above is its %s\n",
        records::text_of(d["run"], "name").c_str(), records::text_of(d["run"], "status").c_str(),
        static_cast<long long>(records::integer_of(d["run"], "steps")), name_of(state).c_str());
    if (!d["lives"].empty()) std::printf("seeds that lived in it\n");
    for (const auto& s : d["lives"])
        std::printf("  %-5s %-18s at %-18s from step %lld: %s%s%s\n", word(s["seed"]).c_str(),
                    word(s["blueprint"]).c_str(), word(s["anchor"]).c_str(),
                    s["germinated"].get<long long>(), word(s["outcome"]).c_str(),
                    word(s["reason"]).empty() ? "" : ", ", word(s["reason"]).c_str());
    print_kernels(d["run"].value("kernels", json::object()));
    std::printf("lineage\n");
    for (const auto& e : d["lineage"])
        std::printf("  step %6lld  %.12s  %s\n", e["step"].get<long long>(),
                    word(e["program_sha256"]).c_str(), word(e["reason"]).c_str());
}

Status inspect_run(const std::filesystem::path& folder, const std::string& checkpoint,
                   bool as_json) {
    ESPER_TRY(const auto state, load_run(folder, checkpoint));
    ESPER_TRY(auto description, describe(*state.program()));
    ESPER_CHECK_STATUS(add_history(description, state, folder));
    if (as_json) {
        std::printf("%s\n", description.dump().c_str());
    } else {
        print(description);
        print_history(description, state);
    }
    return {};
}

Status inspect(const std::string& path, const std::string& checkpoint, bool as_json) {
    if (std::filesystem::is_directory(path)) return inspect_run(path, checkpoint, as_json);
    if (!checkpoint.empty())
        return fail(FileError::kBadArgument,
                    "--checkpoint names one of a run's checkpoints; " + path + " is a file");
    ESPER_TRY(const auto program, find_program(path));
    ESPER_TRY(const auto description, describe(*program));
    if (as_json)
        std::printf("%s\n", description.dump().c_str());
    else
        print(description);
    return {};
}

}  // namespace

void add_inspect(CLI::App& app, int& exit_code) {
    auto path = std::make_shared<std::string>();
    auto checkpoint = std::make_shared<std::string>();
    auto as_json = std::make_shared<bool>(false);
    auto* command = app.add_subcommand("inspect", "show a run, a checkpoint or a Program");
    command->add_option("path", *path, "run folder, .ckpt, .pt2, Program text or binary")
        ->required();
    command->add_option("--checkpoint", *checkpoint, std::string("of a run: ") + kCheckpointHelp);
    command->add_flag("--json", *as_json, "one JSON line");
    command->callback([path, checkpoint, as_json, &exit_code] {
        auto done = inspect(*path, *checkpoint, *as_json);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
