#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>

#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/print.h"
#include "esper/cli/run_rows.h"
#include "esper/cli/table.h"
#include "esper/services/nissa/nissa_errors.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/printable_text.h"

namespace esper::cli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using records::printable;

struct Arguments {
    std::string folder = "runs";
    std::string sort = "name";
    bool reverse = false;
    bool json = false;
};

/// A folder beside the runs that is none, and why.
struct Stranger {
    std::string name;
    std::string why;
};

std::string why_no_run(const fs::directory_entry& entry) {
    std::error_code ignored;
    if (entry.is_symlink(ignored)) return "a symbolic link, which is not followed";
    const auto has = [&](const char* name) {
        return fs::exists(fs::symlink_status(entry.path() / name, ignored));
    };
    if (has("run.json")) return "its run.json is no regular file, so it is not read";
    if (has("lock") || has("config.yaml") || has("checkpoints"))
        return "has no run.json: a run begins there, or its start was cut short";
    return "holds no run";
}

// Folders right below that hold no run at any depth.
std::vector<Stranger> strangers_in(const fs::path& folder, const std::vector<ListedRun>& runs) {
    std::vector<Stranger> strangers;
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(folder / "run.json", ignored))) return strangers;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const auto name = entry.path().filename().string();
        if (name.starts_with('.') || !entry.is_directory(ignored)) continue;
        const bool holds_runs = std::ranges::any_of(runs, [&](const auto& run) {
            const fs::path path = records::text_of(run.row, "folder");
            const auto below = path.lexically_normal()
                                   .lexically_relative(entry.path().lexically_normal())
                                   .string();
            return !below.empty() && !below.starts_with("..");
        });
        if (!holds_runs) strangers.push_back({name, why_no_run(entry)});
    }
    std::ranges::sort(strangers, {}, &Stranger::name);
    return strangers;
}

/// What --sort takes, and the key of the row that it means, or the one that stands in for it.
struct SortKey {
    const char* name;
    const char* key;
    const char* otherwise = "";
};
constexpr std::array<SortKey, 13> kSortKeys = {{{"name", ""},
                                                {"status", "state"},
                                                {"host", "host"},
                                                {"data", "data"},
                                                {"epochs", "epochs"},
                                                {"train", "train_loss"},
                                                {"val", "best_val_loss", "val_loss"},
                                                {"test", "test_loss"},
                                                {"accuracy", "test_accuracy", "val_accuracy"},
                                                {"parameters", "parameters"},
                                                {"flops", "flops_total"},
                                                {"time", "wall_seconds"},
                                                {"written", "written"}}};

json value_of(const ListedRun& run, const SortKey& sort) {
    for (const auto* key : {sort.key, sort.otherwise})
        if (const auto it = run.row.find(key); it != run.row.end() && it->is_primitive())
            if (!it->is_null()) return *it;
    return {};
}

// Rows without the value come last, either way round.
Status sort_runs(std::vector<ListedRun>& runs, const Arguments& a) {
    const auto* sort = std::ranges::find(kSortKeys, a.sort, &SortKey::name);
    if (sort == kSortKeys.end()) {
        std::vector<std::string> names;
        for (const auto& key : kSortKeys) names.emplace_back(key.name);
        return fail(nissa::NissaError::kBadQuery,
                    fmt::format("--sort: expected one of {}, got {}", join(names, ", "),
                                quote_with_suggestion(a.sort, names)));
    }
    if (a.sort == "name") {
        if (a.reverse) std::ranges::reverse(runs);
        return {};
    }
    std::ranges::stable_sort(runs, [&](const ListedRun& x, const ListedRun& y) {
        const auto left = value_of(x, *sort);
        const auto right = value_of(y, *sort);
        if (left.is_null() || right.is_null()) return right.is_null() && !left.is_null();
        return a.reverse ? right < left : left < right;
    });
    return {};
}

std::string written(const json& row) {
    const auto at = static_cast<std::time_t>(records::integer_of(row, "written") / 1000);
    std::tm parts{};
    std::array<char, 32> text{};
    if (at == 0 || ::localtime_r(&at, &parts) == nullptr) return "-";
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M", &parts);
    return text.data();
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : printable(text); }

std::string table_of(const std::vector<ListedRun>& runs) {
    Table table;
    using enum Table::Align;
    table.column("run", kLeft).column("status", kLeft).column("host", kLeft).column("data", kLeft);
    table.column("epochs").column("steps").column("train").column("val").column("test");
    table.column("accuracy").column("parameters").column("kept/culled").column("time");
    table.column("written");
    for (const auto& run : runs) {
        const auto& row = run.row;
        table.row({printable(run.name), records::text_of(row, "state"),
                   or_dash(records::text_of(row, "host")), or_dash(records::text_of(row, "data")),
                   fmt::format("{}", records::integer_of(row, "epochs")),
                   fmt::format("{}", records::integer_of(row, "steps")),
                   loss_cell(row, "train_loss"), validation_cell(row), loss_cell(row, "test_loss"),
                   accuracy_cell(row), parameters_cell(row), seeds_cell(row), seconds_cell(row),
                   written(row)});
    }
    return table.text();
}

void print_notes(const std::vector<ListedRun>& runs, const std::vector<Stranger>& strangers) {
    std::map<std::string, int> states;
    for (const auto& run : runs) {
        ++states[records::text_of(run.row, "state")];
        for (const auto& alert : run.row["alerts"])
            std::fprintf(stderr, "esper: %s: %s\n", printable(run.name).c_str(),
                         printable(records::text_of(alert, "text")).c_str());
    }
    for (const auto& stranger : strangers)
        std::fprintf(stderr, "esper: %s: %s\n", printable(stranger.name).c_str(),
                     stranger.why.c_str());
    std::vector<std::string> words;
    for (const auto& [state, n] : states) words.push_back(fmt::format("{} {}", n, state));
    std::fprintf(stderr, "%zu run%s%s%s\n", runs.size(), runs.size() == 1 ? "" : "s",
                 words.empty() ? "" : ": ", join(words, ", ").c_str());
}

void print_lines(const std::vector<ListedRun>& runs, const std::vector<Stranger>& strangers) {
    for (const auto& run : runs) {
        auto line = run.row;
        line["event"] = "run";
        line["run"] = run.name;
        line["data_fingerprint"] = run.fingerprint;
        print_json_line(line);
    }
    for (const auto& stranger : strangers)
        print_json_line({{"event", "no_run"}, {"folder", stranger.name}, {"why", stranger.why}});
}

Status list(const Arguments& a) {
    ESPER_TRY(auto runs, runs_below(a.folder));
    ESPER_CHECK_STATUS(sort_runs(runs, a));
    const auto strangers = strangers_in(a.folder, runs);
    if (a.json) {
        print_lines(runs, strangers);
        return {};
    }
    if (!runs.empty()) std::fputs(table_of(runs).c_str(), stdout);
    std::fflush(stdout);
    print_notes(runs, strangers);
    return {};
}

}  // namespace

void add_runs(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("runs", "the runs of a folder: ls [FOLDER]");
    command->require_subcommand(1);
    auto a = std::make_shared<Arguments>();
    auto* ls = command->add_subcommand("ls", "every run below a folder, one a line");
    ls->add_option("folder", a->folder,
                   "a folder with runs at any depth, or a run (default: runs)");
    ls->add_option("--sort", a->sort,
                   "by name (the default), status, host, data, epochs, train, val, test, accuracy, "
                   "parameters, flops, time or written");
    ls->add_flag("-r,--reverse", a->reverse, "the other way round");
    ls->add_flag("--json", a->json, "standard output is JSON lines only");
    ls->callback([a, &exit_code] {
        const auto done = list(*a);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
