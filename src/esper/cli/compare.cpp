#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/figures.h"
#include "esper/cli/print.h"
#include "esper/cli/run_rows.h"
#include "esper/cli/table.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/printable_text.h"

namespace esper::cli {

namespace {

using nlohmann::json;
using records::printable;

struct Arguments {
    std::vector<std::string> runs;
    bool json = false;
};

/// Runs that differ by their seed alone.
struct Group {
    SeedGroup runs;
    std::string name;  ///< `optimization.learning_rate=0.002`, or that of its only run
};

struct Comparison {
    std::vector<ListedRun> runs;
    std::vector<std::string> keys;  ///< that differ
    std::vector<Group> groups;
};

std::string setting(const ListedRun& run, const std::string& key) {
    const auto text = records::text_of(run.settings, key);
    return text.empty() ? "-" : printable(text);
}

Comparison compared(std::vector<ListedRun> runs) {
    Comparison c;
    c.runs = std::move(runs);
    std::vector<nissa::RunFacts> facts;
    for (const auto& run : c.runs) facts.push_back(run.facts());
    c.keys = nissa::differing_keys(facts);
    for (const auto& numbers : nissa::group_by_seed(facts)) {
        Group group;
        for (const auto i : numbers) group.runs.push_back(&c.runs[i]);
        std::vector<std::string> words;
        for (const auto& key : c.keys)
            if (key != "run.seed") words.push_back(key + "=" + setting(*group.runs.front(), key));
        group.name = words.empty() ? printable(group.runs.front()->name) : join(words, " ");
        c.groups.push_back(std::move(group));
    }
    return c;
}

bool has_seeds(const Comparison& c) {
    return std::ranges::any_of(c.groups, [](const auto& group) { return group.runs.size() > 1; });
}

records::Contrast contrast_of(const Group& first, const Group& other, const Figure& figure) {
    const auto a = values_by_seed(first.runs, figure);
    const auto b = values_by_seed(other.runs, figure);
    // The same seeds, each once, draw the same data and first values: their differences vary less.
    const bool pairs =
        a.size() > 1 &&
        std::ranges::equal(
            a, b, {}, [](auto& x) { return x.first; }, [](auto& x) { return x.first; }) &&
        std::ranges::adjacent_find(a, {}, [](auto& x) { return x.first; }) == a.end();
    const auto left = values_of(first.runs, figure);
    const auto right = values_of(other.runs, figure);
    return pairs ? records::paired_contrast(left, right) : records::welch_contrast(left, right);
}

/// Every group after the first against the first, by one figure; p raised for their number.
std::vector<records::Contrast> contrasts_of(const std::vector<Group>& groups,
                                            const Figure& figure) {
    std::vector<records::Contrast> all;
    for (std::size_t g = 1; g < groups.size(); ++g)
        all.push_back(contrast_of(groups.front(), groups[g], figure));
    std::vector<double> p;
    for (const auto& contrast : all)
        if (contrast.p) p.push_back(*contrast.p);
    const auto raised = records::holm(p);
    std::size_t next = 0;
    for (auto& contrast : all)
        if (contrast.p) contrast.p = raised[next++];
    return all;
}

// As many runs beside each other as a screen has room for.
constexpr std::size_t kBeside = 5;

std::string side_by_side(const Comparison& c, std::size_t from) {
    const auto to = std::min(from + kBeside, c.runs.size());
    Table table;
    table.column("", Table::Align::kLeft);
    for (auto i = from; i < to; ++i) table.column(printable(c.runs[i].name));
    const auto row = [&](const std::string& name, const auto& cell) {
        std::vector<std::string> cells{name};
        for (auto i = from; i < to; ++i) cells.push_back(cell(c.runs[i]));
        table.row(std::move(cells));
    };
    const auto of_row = [&](const char* name, const auto& cell) {
        row(name, [&](const ListedRun& run) { return cell(run.row); });
    };
    const auto figure = [&](const char* name, const char* key) {
        of_row(name, [&](const json& r) { return loss_cell(r, key); });
    };
    of_row("status", [](const json& r) { return records::text_of(r, "state"); });
    of_row("host", [](const json& r) { return printable(records::text_of(r, "host")); });
    of_row("data", [](const json& r) { return printable(records::text_of(r, "data")); });
    of_row("steps",
           [](const json& r) { return fmt::format("{}", records::integer_of(r, "steps")); });
    figure("train loss", "train_loss");
    figure("val loss", "val_loss");
    figure("best val loss", "best_val_loss");
    figure("test loss", "test_loss");
    of_row("accuracy", accuracy_cell);
    of_row("parameters", parameters_cell);
    of_row("seeds kept/culled", seeds_cell);
    of_row("FLOPs", [](const json& r) { return count_cell(r, "flops_total"); });
    of_row("time", seconds_cell);
    for (const auto& key : c.keys)
        row(key, [&](const ListedRun& run) { return setting(run, key); });
    return table.text();
}

std::string groups_in_words(const Comparison& c) {
    std::string out = "\nover seeds, mean ± 95 % interval\n";
    Table means;
    means.column("runs", Table::Align::kLeft).column("n");
    for (const auto& figure : kFigures) means.column(figure.name);
    for (const auto& group : c.groups) {
        std::vector<std::string> cells{group.name, fmt::format("{}", group.runs.size())};
        for (const auto& figure : kFigures)
            cells.push_back(
                with_interval(records::estimate_mean(values_of(group.runs, figure)), figure));
        means.row(std::move(cells));
    }
    out += means.text();
    if (c.groups.size() < 2) return out;
    out += fmt::format("\nagainst {}\n", c.groups.front().name);
    Table table;
    table.column("runs", Table::Align::kLeft).column("figure", Table::Align::kLeft);
    table.column("difference").column("p").column("", Table::Align::kLeft);
    for (const auto& figure : kFigures) {
        const auto contrasts = contrasts_of(c.groups, figure);
        for (std::size_t g = 1; g < c.groups.size(); ++g) {
            const auto& contrast = contrasts[g - 1];
            if (!contrast.p) continue;
            table.row({c.groups[g].name, figure.name, with_interval(contrast.difference, figure),
                       fmt::format("{:.2g}", *contrast.p),
                       fmt::format("{}{}", contrast.is_paired ? "by pairs of a seed" : "Welch's t",
                                   *contrast.p < 0.05 ? "" : "; not shown to differ")});
        }
    }
    out += table.text();
    if (c.groups.size() > 2)
        out += fmt::format("p is raised for {} comparisons (Holm)\n", c.groups.size() - 1);
    return out;
}

void print_lines(const Comparison& c) {
    for (const auto& run : c.runs) {
        auto line = run.row;
        line["event"] = "run";
        line["run"] = run.name;
        print_json_line(line);
    }
    for (const auto& key : c.keys) {
        json values = json::object();
        for (const auto& run : c.runs) values[run.name] = records::text_of(run.settings, key);
        print_json_line({{"event", "difference"}, {"key", key}, {"values", values}});
    }
    for (const auto& group : c.groups) {
        json names = json::array();
        for (const auto* run : group.runs) names.push_back(run->name);
        print_json_line({{"event", "group"},
                         {"name", group.name},
                         {"runs", names},
                         {"figures", figures_json(group.runs)}});
    }
    for (const auto& figure : kFigures) {
        const auto contrasts = contrasts_of(c.groups, figure);
        for (std::size_t g = 0; g < contrasts.size(); ++g) {
            const auto& contrast = contrasts[g];
            if (!contrast.p) continue;
            print_json_line({{"event", "contrast"},
                             {"figure", figure.key},
                             {"group", c.groups[g + 1].name},
                             {"against", c.groups[0].name},
                             {"difference", contrast.difference.mean},
                             {"half_width", *contrast.difference.half_width},
                             {"p", *contrast.p},
                             {"is_paired", contrast.is_paired}});
        }
    }
}

void warn_of_other_data(const Comparison& c) {
    const auto& first = c.runs.front();
    for (const auto& run : c.runs)
        if (run.fingerprint != first.fingerprint)
            std::fprintf(stderr,
                         "esper: %s and %s were trained on different data or parts of them; their "
                         "losses say little beside each other\n",
                         printable(first.name).c_str(), printable(run.name).c_str());
}

Status compare(const Arguments& a) {
    ESPER_TRY(auto runs, runs_named(a.runs));
    const auto c = compared(std::move(runs));
    warn_of_other_data(c);
    if (a.json) {
        print_lines(c);
        return {};
    }
    for (std::size_t from = 0; from < c.runs.size(); from += kBeside)
        std::printf("%s%s", from == 0 ? "" : "\n", side_by_side(c, from).c_str());
    if (c.runs.size() > 1 && c.keys.empty()) std::printf("\ntheir configurations are the same\n");
    if (has_seeds(c)) std::fputs(groups_in_words(c).c_str(), stdout);
    return {};
}

}  // namespace

void add_compare(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand(
        "compare", "runs beside each other: figures, what differs, and what seeds say about it");
    command->add_option("runs", a->runs, "runs, or folders whose runs are meant")->required();
    command->add_flag("--json", a->json, "standard output is JSON lines only");
    command->callback([a, &exit_code] {
        const auto done = compare(*a);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
