#include "esper/cli/urza_work.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/clock.h"
#include "esper/cli/library_text.h"
#include "esper/cli/print.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/urza/library.h"

namespace esper::cli {

namespace {

using urza::WorkRow;
using urza::WorkState;

struct WorkArguments {
    std::string library, objects, state, id;
    bool json = false;
};

constexpr std::uint32_t kPage = 500;
constexpr std::int64_t kNsInMs = 1'000'000;

std::string time_of(std::int64_t utc_ms) { return utc_ms > 0 ? iso8601(utc_ms * kNsInMs) : ""; }

std::string details_of(const WorkRow& row) {
    switch (row.state) {
        case WorkState::kLeased:
            return fmt::format("{} until {}", row.worker, time_of(row.leased_until));
        case WorkState::kWaiting:
            return row.said.empty()
                       ? ""
                       : fmt::format("from {} on; {}", time_of(row.not_before), row.said);
        default:
            return row.said;
    }
}

void print(const WorkRow& row, bool as_json) {
    if (as_json) {
        print_json_line({{"id", row.id},
                         {"subject", row.subject},
                         {"hardware", row.hardware},
                         {"state", urza::state_name(row.state)},
                         {"worker", row.worker},
                         {"leased_until", time_of(row.leased_until)},
                         {"not_before", time_of(row.not_before)},
                         {"attempts", row.attempts},
                         {"said", row.said}});
        return;
    }
    std::printf("%s\n", records::printable(fmt::format("{}  {:<7}  {:>2} {}  {}  {}", row.id,
                                                       urza::state_name(row.state), row.attempts,
                                                       row.attempts == 1 ? "attempt " : "attempts",
                                                       row.subject, details_of(row)))
                            .c_str());
}

Status list(const WorkArguments& a) {
    std::optional<WorkState> only;
    for (const auto state :
         {WorkState::kWaiting, WorkState::kLeased, WorkState::kDone, WorkState::kDead})
        if (a.state == urza::state_name(state)) only = state;
    ESPER_TRY(const auto library, urza::open_library(a.library, a.objects));
    std::string after;
    for (;;) {
        ESPER_TRY(const auto rows, library->work().work(only, after, kPage));
        for (const auto& row : rows) print(row, a.json);
        if (rows.size() < kPage) return {};
        after = rows.back().id;
    }
}

Status retry(const WorkArguments& a) {
    ESPER_TRY(const auto library, urza::open_library(a.library, a.objects));
    return library->work().retry(a.id, "cli");
}

}  // namespace

void add_urza_work(CLI::App& urza, int& exit_code) {
    auto a = std::make_shared<WorkArguments>();
    auto* work = urza.add_subcommand("work", "what workers (esper forge --worker) are to do");
    work->require_subcommand(1);
    auto* ls = work->add_subcommand("ls", "all jobs: state, attempts, who has it or what was said");
    ls->add_option("--state", a->state, "only those that are waiting, leased, done or dead")
        ->check(CLI::IsMember({"waiting", "leased", "done", "dead"}));
    ls->add_flag("--json", a->json, "standard output is JSON lines only");
    auto* again = work->add_subcommand("retry", "a dead or a done job waits again");
    again->add_option("ID", a->id, "of the job")->required();
    for (auto* command : {ls, again}) add_library_options(*command, a->library, a->objects);
    const auto end_with = [&exit_code](const Status& done) {
        exit_code = done ? 0 : report_error(done.error());
    };
    ls->callback([a, end_with] { end_with(list(*a)); });
    again->callback([a, end_with] { end_with(retry(*a)); });
}

}  // namespace esper::cli
