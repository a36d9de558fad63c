#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/nissa_exports.h"
#include "esper/cli/not_empty.h"
#include "esper/cli/page_process.h"
#include "esper/cli/print.h"
#include "esper/cli/table.h"
#include "esper/services/nissa/audit.h"
#include "esper/services/records/printable_text.h"

namespace esper::cli {

namespace {

struct WatchArguments {
    std::vector<std::string> runs;
    std::string host = "127.0.0.1";
    int port = 8005;
    std::vector<std::string> names;
    bool allow_actions = false;
    std::optional<std::string> share;
    bool print_rules = false;
};

int watch(const WatchArguments& a) {
    std::vector<std::string> words{"--host", a.host, "--port", std::to_string(a.port)};
    for (const auto& name : a.names) words.insert(words.end(), {"--name", name});
    if (a.allow_actions) words.emplace_back("--allow-actions");
    if (a.share) words.insert(words.end(), {"--share", *a.share});
    if (a.print_rules) words.emplace_back("--print-rules");
    words.emplace_back("--");
    words.insert(words.end(), a.runs.begin(), a.runs.end());
    if (a.runs.empty()) words.emplace_back("runs");
    return become_page(std::move(words));
}

struct AuditArguments {
    std::string run;
    nissa::DeedQuery query;
    bool json = false;
};

std::string what_there_is(const std::string& run) {
    const auto all = nissa::deeds_of(run, {});
    if (!all || all->empty()) return "; nothing has been done in it";
    std::set<std::string> who, what;
    for (const auto& deed : *all) {
        who.insert(records::printable(deed.who));
        what.insert(records::printable(deed.what));
    }
    const auto listed = [](const std::set<std::string>& names) {
        return join(std::vector<std::string>(names.begin(), names.end()), ", ");
    };
    return fmt::format("; who: {}; what: {}; steps {} to {}", listed(who), listed(what),
                       all->front().step, all->back().step);
}

int audit(const AuditArguments& a) {
    const auto deeds = nissa::deeds_of(a.run, a.query);
    if (!deeds) return report_error(deeds.error());
    using records::printable;
    Table table;
    table.column("step").column("epoch");
    for (const char* name : {"at", "who", "what", "subject", "why"})
        table.column(name, Table::Align::kLeft);
    for (const auto& deed : *deeds) {
        if (a.json)
            print_json_line(
                {{"step", deed.step},
                 {"epoch", deed.epoch},
                 {"at", deed.at},
                 {"at_is_about", deed.is_about},
                 {"who", deed.who},
                 {"what", deed.what},
                 {"subject", deed.subject},
                 {"why", deed.why},
                 {"trace", deed.trace.empty() ? nlohmann::json() : nlohmann::json(deed.trace)}});
        else
            table.row({std::to_string(deed.step), std::to_string(deed.epoch),
                       (deed.is_about ? "about " : "") + printable(deed.at), printable(deed.who),
                       printable(deed.what), printable(deed.subject), printable(deed.why)});
    }
    if (!a.json) std::fputs(table.text().c_str(), stdout);
    if (deeds->empty())
        std::fprintf(stderr, "nothing in this run fits what was asked for%s\n",
                     what_there_is(a.run).c_str());
    return 0;
}

void add_audit(CLI::App* command, int& exit_code) {
    auto a = std::make_shared<AuditArguments>();
    command->add_option("run", a->run, "the run's folder")->required();
    command
        ->add_option("--who", a->query.who,
                     "controller, gate, kernels, trainer, user, or who asked for an action")
        ->check(kNotEmpty);
    command->add_option("--what", a->query.what, "e.g. germinate, cull, gate, kernel, rollback")
        ->check(kNotEmpty);
    command
        ->add_option("--subject", a->query.subject,
                     "a seed, anchor, blueprint, kernel, block or checkpoint")
        ->check(kNotEmpty);
    command->add_option("--from", a->query.from, "first step");
    command->add_option("--to", a->query.to, "last step");
    command->add_flag("--json", a->json, "one JSON line each");
    command->callback([a, &exit_code] { exit_code = audit(*a); });
}

void add_to(CLI::App* command, int& exit_code) {
    auto a = std::make_shared<WatchArguments>();
    command->add_option("runs", a->runs, "folders of runs, or runs (default: runs)");
    command->add_option("--port", a->port, "of the page; 0: any free one (default: 8005)");
    command->add_option("--host", a->host,
                        "where to listen (default: 127.0.0.1, which only this machine reaches)");
    command
        ->add_option("--name", a->names,
                     "a name of this machine under which browsers may ask for the page")
        ->expected(1)
        ->allow_extra_args(false);
    command->add_flag("--allow-actions", a->allow_actions,
                      "also print a link that may pause growth, save, go back and stop runs");
    command->add_option("--share", a->share,
                        "look only through a link that is good for so long, e.g. 8h");
    command->add_flag("--print-rules", a->print_rules,
                      "print the alerts as rules for Prometheus, and end");
    command->callback([a, &exit_code] { exit_code = watch(*a); });
}

}  // namespace

void add_watch(CLI::App& app, int& exit_code) {
    add_to(app.add_subcommand("watch", "show runs in the browser, live and afterwards"), exit_code);
    auto* nissa = app.add_subcommand("nissa", "the observer of runs");
    nissa->require_subcommand(1);
    add_to(nissa->add_subcommand("serve", "the same as 'esper watch'"), exit_code);
    add_audit(nissa->add_subcommand("audit", "what was done in a run: who, when, to what and why"),
              exit_code);
    add_nissa_exports(nissa, exit_code);
    nissa->group("");  // last: what is added to it would take its group over
}

}  // namespace esper::cli
