#include "esper/services/tezzeret/forge.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/first_line.h"
#include "esper/base/text.h"
#include "esper/blueprints/catalogue.h"
#include "esper/cli/commands.h"
#include "esper/cli/forge_worker.h"
#include "esper/cli/print.h"
#include "esper/execution/kernels/child_process.h"
#include "esper/program/edits/seed_branch.h"
#include "esper/services/supply/best_known.h"
#include "esper/services/supply/forge_folder.h"
#include "esper/services/supply/kernel_orders.h"
#include "esper/services/supply/store_kernel.h"
#include "esper/services/urza/library_keys.h"
#include "esper/services/urza/server_address.h"

namespace esper::cli {

namespace {

using graph::AnchorKind;
using nlohmann::json;
using tezzeret::Forged;

struct ForgeFlags {
    std::string blueprint;
    bool all = false;
    std::string pipeline = "fast";
    double budget = tezzeret::kSearchSeconds;
    std::string precision = "fp32";
    std::vector<std::int64_t> features{128};
    std::int64_t rows = 4096;
    bool dry = false;
    bool orders = false;  ///< of a run, from standard input
    bool worker = false;
    WorkerFlags as_worker;
    std::string library;
    std::string sandbox = "prefer";
    int nice = 19;  ///< with `orders` and `worker`
    bool as_json = false;
};

/// A blueprint for one kind and size of anchor.
struct Wanted {
    std::string blueprint;
    AnchorKind kind;
    std::vector<std::int64_t> shape;  ///< of x
    graph::ProgramPtr branch;
};

constexpr std::int64_t kTokens = 128;
constexpr std::int64_t kSide = 16;

std::vector<std::int64_t> shape_of(AnchorKind kind, std::int64_t features, std::int64_t rows) {
    switch (kind) {
        case AnchorKind::kTokens:
            return rows % kTokens == 0
                       ? std::vector<std::int64_t>{rows / kTokens, kTokens, features}
                       : std::vector<std::int64_t>{1, rows, features};
        case AnchorKind::kImage:
            return {32, features, kSide, kSide};
        case AnchorKind::kVector:
            return {rows, features};
    }
    return {};
}

Result<Wanted> make_wanted(const std::string& blueprint, AnchorKind kind, std::int64_t features,
                           std::int64_t rows) {
    auto shape = shape_of(kind, features, rows);
    graph::TensorType type{graph::DType::kFloat32, shape};
    type.shape[0] = -1;
    if (kind == AnchorKind::kTokens) type.shape[1] = -1;
    graph::Anchor anchor;
    anchor.name = "anchor";
    anchor.kind = kind;
    anchor.features = features;
    ESPER_TRY(auto made, blueprints::make_blueprint(blueprint, anchor, type));
    // As a run's seed of it is looked up.
    const std::vector<std::int64_t> sample(shape.begin() + 1, shape.end());
    ESPER_TRY(auto branch, graph::blueprint_branch(*made.program, sample));
    return Wanted{blueprint, kind, std::move(shape), branch.program};
}

Result<std::vector<Wanted>> wanted_of(const ForgeFlags& flags) {
    std::vector<Wanted> all;
    std::optional<Error> last;
    for (auto kind : {AnchorKind::kTokens, AnchorKind::kVector, AnchorKind::kImage}) {
        const auto names = flags.all ? blueprints::blueprint_names(kind)
                                     : std::vector<std::string>{flags.blueprint};
        for (const auto& name : names)
            for (auto features : flags.features) {
                auto made = make_wanted(name, kind, features, flags.rows);
                if (made)
                    all.push_back(std::move(*made));
                else
                    last = made.error();
            }
    }
    if (all.empty()) return fail(*last);
    return all;
}

/// Why there is no kernel, or how one of an aggressive search compares with the best known.
std::string remark_on(const Forged& made, const tezzeret::Order& order) {
    if (!made.why.empty() || made.against_known.empty()) return first_line(made.why);
    const auto& times = made.against_known.front().times;
    return fmt::format("{:.3f} [{:.3f}, {:.3f}] times the speed of {}, of {} variants", times.ratio,
                       times.low, times.high, order.best_known->id, made.variants);
}

json row_of(const Wanted& wanted, const Forged& made, const tezzeret::Order& order) {
    const auto pipeline = order.pipeline;
    json row{{"blueprint", wanted.blueprint},
             {"anchor", std::string(graph::anchor_kind_name(wanted.kind))},
             {"precision", tezzeret::precision_name(order)},
             {"shape", wanted.shape},
             {"status", std::string(tezzeret::status_name(made.status))},
             {"why", made.why},
             {"id", made.id},
             {"program", wanted.branch->hash().hex()},
             {"isa", made.isa},
             {"compiler", made.compiler},
             {"flags", made.flags},
             {"object_bytes", made.object.size()},
             {"cases", made.findings.cases},
             {"error", made.findings.error},
             {"allowed", made.findings.allowed},
             {"sandbox", static_cast<int>(made.sandbox)},
             {"trial_sandbox", made.findings.sandbox},
             {"pipeline", std::string(tezzeret::pipeline_name(pipeline))},
             {"variants", made.variants},
             {"compile_cpu_seconds", made.compile_seconds},
             {"trial_cpu_seconds", made.findings.seconds},
             {"seconds", made.seconds}};
    for (const auto& s : made.findings.speeds)
        row["speeds"].push_back({{"shape", s.shape},
                                 {"kernel_us", s.times.ours_seconds * 1e6},
                                 {"operators_us", s.times.peer_seconds * 1e6},
                                 {"ratio", s.times.ratio},
                                 {"ci_low", s.times.low},
                                 {"ci_high", s.times.high},
                                 {"n", s.times.rounds},
                                 {"p99_us", s.calls.p99_seconds * 1e6},
                                 {"calls", s.calls.calls},
                                 {"peak_bytes", s.peak_bytes},
                                 {"operators_peak_bytes", s.peer_peak_bytes},
                                 {"chosen", s.chosen()}});
    for (const auto& s : made.against_known)
        row["against_known"].push_back({{"shape", s.shape},
                                        {"known", order.best_known->id},
                                        {"kernel_us", s.times.ours_seconds * 1e6},
                                        {"known_us", s.times.peer_seconds * 1e6},
                                        {"ratio", s.times.ratio},
                                        {"ci_low", s.times.low},
                                        {"ci_high", s.times.high},
                                        {"n", s.times.rounds}});
    return row;
}

void print_row(const Wanted& wanted, const Forged& made, const tezzeret::Order& order) {
    std::string speed = "-";
    if (!made.findings.speeds.empty()) {
        const auto& s = made.findings.speeds.front();
        speed = fmt::format("{:.2f} [{:.2f}, {:.2f}]{}", s.times.ratio, s.times.low, s.times.high,
                            s.chosen() ? "" : " not chosen");
    }
    std::printf(
        "%s\n",
        fmt::format("{:<20} {:<18} {:<5} {:<11} {:<16} {:<28} {:>5.1f}  {}", wanted.blueprint,
                    fmt::format("{}", fmt::join(wanted.shape, "x")),
                    tezzeret::precision_name(order), tezzeret::status_name(made.status),
                    made.findings.cases > 0 ? fmt::format("{:.1e} of {:.1e}", made.findings.error,
                                                          made.findings.allowed)
                                            : "-",
                    speed, made.seconds, remark_on(made, order))
            .c_str());
    std::fflush(stdout);
}

Status store(const Wanted& wanted, const tezzeret::Order& order, const Forged& made,
             const std::string& address) {
    ESPER_TRY(const auto library, urza::open_library(address));
    const auto keys = urza::keys_of(address);
    const auto stored =
        supply::store_kernel(*library, keys, wanted.blueprint,
                             std::string(graph::anchor_kind_name(wanted.kind)), order, made);
    return stored ? Status{} : Status(tl::unexpected(stored.error()));
}

/// Asked before anything is compiled. Closed again: see below.
Status may_store(const std::string& address) {
    ESPER_TRY(const auto library, urza::open_library(address));
    auto may = supply::may_store(*library, urza::keys_of(address));
    const bool is_theirs =
        urza::is_server(address.empty() ? urza::default_library_path() : address);
    if (!may && is_theirs && may.error().is(urza::UrzaError::kReadOnly))
        return fail(urza::UrzaError::kDenied, may.error().message());
    return may;
}

supply::ForgeWishes wishes_of(const ForgeFlags& flags) {
    return {supply::least_sandbox(flags.sandbox), flags.nice};
}

/// Forges, says what came of it and stores it. The forge's answer is kept in `made`.
Status carry_out(const Wanted& wanted, const tezzeret::Order& order, const ForgeFlags& flags,
                 bool& failed, Forged* made = nullptr) {
    auto forged = tezzeret::forge(order);
    failed = failed || forged.status == Forged::Status::kFailed ||
             forged.status == Forged::Status::kWrong;
    if (flags.as_json) {
        std::printf("%s\n", row_of(wanted, forged, order).dump().c_str());
        std::fflush(stdout);
    } else {
        print_row(wanted, forged, order);
    }
    // Opened for each: a trial is a copy of this process, which must have one thread.
    if (!flags.dry) ESPER_CHECK_STATUS(store(wanted, order, forged, flags.library));
    if (made != nullptr) *made = std::move(forged);
    return {};
}

/// An aggressive search, against the best kernel that the library knows; where it knows none, one
/// of the standard pipeline is made first.
Status search_for(const Wanted& wanted, tezzeret::Order order, const ForgeFlags& flags,
                  bool& failed) {
    ports::KernelNeed need;
    need.branch = wanted.branch->hash().hex();
    need.precision = tezzeret::precision_name(order);
    need.sample.assign(wanted.shape.begin() + 1, wanted.shape.end());
    need.samples = wanted.shape.front();
    if (!flags.dry) {
        ESPER_TRY(order.best_known, supply::best_known(flags.library, need));
    }
    if (!order.best_known) {
        Forged standard;
        order.pipeline = tezzeret::Pipeline::kStandard;
        ESPER_CHECK_STATUS(carry_out(wanted, order, flags, failed, &standard));
        if (standard.status != Forged::Status::kValidated) return {};
        order.best_known = urabrask::Named{standard.id, standard.object};
        order.pipeline = tezzeret::Pipeline::kAggressive;
    }
    return carry_out(wanted, order, flags, failed);
}

int run_forge(const ForgeFlags& flags) {
    const auto pipeline = tezzeret::pipeline_from_name(flags.pipeline);
    if (flags.blueprint.empty() == !flags.all || !pipeline) {
        std::fprintf(stderr,
                     "esper: name a blueprint or --all, and a pipeline, fast, standard or "
                     "aggressive\n");
        return 2;
    }
    const bool sizes_fit = flags.rows > 0 && flags.rows <= (1 << 22) &&
                           std::all_of(flags.features.begin(), flags.features.end(),
                                       [](std::int64_t f) { return f > 0 && f <= 4096; });
    if (!sizes_fit) {
        std::fprintf(stderr, "esper: --features takes 1 to 4096, --rows 1 to %d\n", 1 << 22);
        return 2;
    }
    auto wanted = wanted_of(flags);
    if (!wanted) return report_error(wanted.error());
    if (const auto why = supply::why_no_forge(wishes_of(flags)); !why.empty()) {
        std::fprintf(stderr, "esper: %s\n", why.c_str());
        return 1;
    }
    supply::remove_abandoned_folders();
    if (!flags.dry)
        if (const Status may = may_store(flags.library); !may) return report_error(may.error());
    std::vector<std::string> precisions{flags.precision};
    if (flags.precision == "all") precisions = {"fp32", "bf16"};
    // A trial is a copy of this process, which must have one thread.
    at::set_num_threads(1);
    if (!flags.as_json)
        std::printf("%-20s %-18s %-5s %-11s %-16s %-28s %5s\n", "blueprint", "shape", "", "status",
                    "error", "times the operators' speed", "s");
    bool failed = false;
    for (const auto& w : *wanted)
        for (const auto& precision : precisions) {
            tezzeret::Order order{
                w.branch,
                precision == "bf16" ? graph::Precision::kBFloat16 : graph::Precision::kFloat32,
                {w.shape},
                *pipeline};
            order.search_seconds = flags.budget;
            order.least_sandbox = supply::least_sandbox(flags.sandbox);
            const Status made = *pipeline == tezzeret::Pipeline::kAggressive
                                    ? search_for(w, order, flags, failed)
                                    : carry_out(w, order, flags, failed);
            if (!made) return report_error(made.error());
        }
    return failed ? 1 : 0;
}

}  // namespace

void add_forge(CLI::App& app, int& exit_code) {
    auto flags = std::make_shared<ForgeFlags>();
    auto* command =
        app.add_subcommand("forge", "compile a blueprint to a native kernel, and try it");
    command->add_option("BLUEPRINT", flags->blueprint, "its name");
    command->add_flag("--all", flags->all, "every blueprint of the catalogue");
    command->add_option(
        "--pipeline", flags->pipeline,
        "fast (default), standard, or aggressive: minutes, kept only where it beats the "
        "best kernel that is known");
    command
        ->add_option("--budget", flags->budget,
                     "processor seconds after which an aggressive search tries nothing new "
                     "(default 120)")
        ->check(CLI::Range(1.0, 86400.0));
    command->add_option("--precision", flags->precision, "fp32 (default), bf16 or all")
        ->check(CLI::IsMember({"fp32", "bf16", "all"}));
    command->add_option("--features", flags->features, "features of the anchor (default 128)")
        ->delimiter(',');
    command->add_option("--rows", flags->rows, "rows that speed is measured on (default 4096)");
    command
        ->add_option(
            "--sandbox", flags->sandbox,
            "prefer (default); require: compile nothing where compiler and kernel cannot be "
            "jailed; bubblewrap: nor where the compiler cannot run in bubblewrap")
        ->check(CLI::IsMember({"prefer", "require", "bubblewrap"}));
    command->add_flag("--dry", flags->dry, "do not put the kernels into the library");
    command->add_flag("--json", flags->as_json, "one JSON line per kernel");
    command->add_option(
        "--library", flags->library,
        "the library: a folder, postgresql://USER@HOST/DATABASE or a server's "
        "http(s)://HOST:PORT (default: $ESPER_LIBRARY or ~/.local/share/esper/library)");
    auto* worker = command->add_flag(
        "--worker", flags->worker,
        "work off what runs with forge.by=workers ordered from the library, until Ctrl-C");
    for (const char* other : {"BLUEPRINT", "--all", "--pipeline", "--budget", "--precision",
                              "--features", "--rows", "--dry", "--json"})
        worker->excludes(command->get_option(other));
    add_worker_options(*command, *worker, flags->as_worker);
    command
        ->add_option("--priority", flags->nice,
                     "with --worker: nice value of the process that compiles (default: 19)")
        ->check(CLI::Range(0, 19));
    // How a run starts its forge; not for people.
    command->add_flag("--orders", flags->orders)->group("");
    command->callback([flags, &exit_code] {
        if (flags->worker)
            exit_code = run_worker(flags->as_worker, flags->library, wishes_of(*flags));
        else
            exit_code = flags->orders ? supply::forge_orders(flags->library, wishes_of(*flags))
                                      : run_forge(*flags);
    });
}

}  // namespace esper::cli
