#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/library_events.h"
#include "esper/cli/library_risk.h"
#include "esper/cli/library_text.h"
#include "esper/cli/print.h"
#include "esper/contracts/codec.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/run_files.h"
#include "esper/services/urza/api.h"
#include "esper/services/urza/backup.h"
#include "esper/services/urza/catalogue.h"
#include "esper/services/urza/missing_library.h"
#include "esper/services/urza/server_address.h"

namespace esper::cli {

namespace {

using nlohmann::json;
using urza::Library;
using urza::UrzaError;

struct Arguments {
    std::string folder, objects;
    std::string id;
    std::string name, by = "a person", about, parent, file;
    std::string head;
    std::string run;
    std::string precision, sample, rows;
    std::int64_t after = 0;
    std::uint32_t keep = urza::Retention{}.kernels_per_blueprint;
    bool kernels = false;
    bool follow = false;
    bool json = false;
};

/// What `esper library` works on: the library, with the catalogue in it where it can be written. A
/// server has put it there.
Result<std::unique_ptr<Library>> open(const Arguments& a) {
    ESPER_TRY(auto library, urza::open_library(a.folder, a.objects));
    if (urza::is_server(a.folder.empty() ? urza::default_library_path() : a.folder)) return library;
    const auto added = urza::add_catalogue(*library);
    if (!added && !added.error().is(UrzaError::kReadOnly)) return fail(added.error());
    return library;
}

/// Calls `visit` with every record, page by page.
template <typename Record, typename Visit>
Status each(Library& library, Result<std::vector<Record>> (Library::*page)(const urza::PageOf&),
            const std::function<std::string(const Record&)>& id_of, const Visit& visit) {
    urza::PageOf at;
    for (;;) {
        ESPER_TRY(const auto records, (library.*page)(at));
        for (const auto& record : records) visit(record);
        if (records.size() < at.limit) return {};
        at.after = id_of(records.back());
    }
}
template <typename Visit>
Status each_blueprint(Library& library, const Visit& visit) {
    return each<contracts::Blueprint>(
        library, &Library::blueprints, [](const auto& b) { return b.blueprint_id; }, visit);
}
template <typename Visit>
Status each_kernel(Library& library, const Visit& visit) {
    return each<urza::KernelRecord>(
        library, &Library::kernels, [](const auto& k) { return k.artifact.kernel_artifact_id; },
        visit);
}

template <typename T>
void print_contract(const T& value) {
    if (const auto text = contracts::to_json(value)) std::printf("%s\n", text->c_str());
}

/// The artifact with what the signatures say, not what the row says.
json json_of(const urza::KernelRecord& record) {
    json line{{"id", record.manifest.artifact},
              {"blueprint", record.manifest.branch},
              {"state", state_of(record)},
              {"manifest", json::parse(record.manifest_text)},
              {"forge_key", record.forged.key}};
    if (record.verdict) {
        line["verdict"] = json::parse(record.verdict_text);
        line["gauntlet_key"] = record.judged.key;
        line["report"] = json::parse(record.report_text);
    }
    return line;
}

Status list(const Arguments& a) {
    ESPER_TRY(const auto library, open(a));
    if (!a.kernels)
        return each_blueprint(*library, [&](const contracts::Blueprint& blueprint) {
            a.json ? print_contract(blueprint) : print_blueprint_line(blueprint);
        });
    return each_kernel(*library, [&](const urza::KernelRecord& record) {
        a.json ? print_json_line(json_of(record)) : print_kernel_line(record);
    });
}

/// The only id that begins so, of a blueprint or a kernel.
Result<std::string> whole_id(Library& library, const std::string& prefix) {
    if (prefix.empty())
        return fail(UrzaError::kBadRequest,
                    "expected the id of a blueprint or a kernel, or how it begins, not an empty "
                    "word; esper library ls [--kernels] shows them");
    std::vector<std::string> found;
    const auto note = [&](const std::string& id) {
        if (id == prefix) found.assign(1, id);
        if (id.starts_with(prefix) && (found.empty() || found.front() != prefix))
            found.push_back(id);
    };
    ESPER_CHECK_STATUS(
        each_blueprint(library, [&](const auto& blueprint) { note(blueprint.blueprint_id); }));
    ESPER_CHECK_STATUS(each_kernel(
        library, [&](const auto& record) { note(record.artifact.kernel_artifact_id); }));
    if (found.size() == 1) return found.front();
    return fail(UrzaError::kUnknownKernel,
                found.empty() ? fmt::format("no blueprint and no kernel begins with {}; esper "
                                            "library ls [--kernels] shows them",
                                            prefix)
                              : fmt::format("{} things begin with {}: {}", found.size(), prefix,
                                            join(found, ", ")));
}

Status show(const Arguments& a) {
    ESPER_TRY(const auto library, open(a));
    ESPER_TRY(const std::string id, whole_id(*library, a.id));
    if (const auto blueprint = library->blueprint(id)) {
        ESPER_TRY(const auto reports, library->reports(id));
        a.json ? print_contract(*blueprint) : print_blueprint(*blueprint, reports);
        if (a.json)
            for (const auto& filed : reports) print_contract(filed.report);
        return {};
    }
    ESPER_TRY(const auto record, library->kernel(id));
    a.json ? print_json_line(json_of(record)) : print_kernel(record);
    return {};
}

Status add(const Arguments& a) {
    ESPER_TRY(const auto library, open(a));
    contracts::BlueprintSubmission submission;
    ESPER_TRY(submission.architecture, read_file(a.file));
    submission.name = a.name.empty() ? std::filesystem::path(a.file).stem().string() : a.name;
    submission.description = a.about.empty() ? "added from " + a.file : a.about;
    submission.submitted_by = a.by;
    if (!a.parent.empty()) {
        ESPER_TRY(const std::string parent, whole_id(*library, a.parent));
        submission.parents.push_back(parent);
    }
    ESPER_TRY(const std::string id, library->add_blueprint(submission));
    a.json ? print_json_line({{"event", "added"}, {"id", id}})
           : (void)std::printf("%s\n", id.c_str());
    return {};
}

/// `12:<hash>`, as verify prints it.
Result<std::optional<urza::LedgerHead>> head_of(const std::string& text) {
    if (text.empty()) return std::optional<urza::LedgerHead>();
    const auto parts = split(text, ':');
    urza::LedgerHead head;
    const auto* end = parts[0].data() + parts[0].size();
    const auto read = std::from_chars(parts[0].data(), end, head.number);
    if (parts.size() != 2 || read.ec != std::errc() || read.ptr != end)
        return fail(
            UrzaError::kBadRequest,
            fmt::format("--head {}: expected NUMBER:HASH, as esper library verify prints it",
                        text));
    head.hash = parts[1];
    return std::optional(head);
}

/// The head that a run saw last.
Result<std::string> head_of_run(const std::string& folder) {
    ESPER_TRY(const auto run, records::read_run_json(folder));
    const auto head = records::text_of(run.value("kernels", json::object()), "library_head");
    if (!head.empty()) return head;
    return fail(UrzaError::kBadRequest, folder + " remembers no head: the run used no library");
}

Status verify(const Arguments& a) {
    auto text = a.head;
    if (!a.run.empty()) {
        ESPER_TRY(text, head_of_run(a.run));
    }
    ESPER_TRY(const auto remembered, head_of(text));
    ESPER_CHECK_STATUS(urza::refuse_missing(a.folder));
    ESPER_TRY(const auto library, urza::open_library(a.folder, a.objects));
    ESPER_TRY(const auto found, library->verify(remembered));
    std::size_t wrong = 0;
    for (const auto& error : found) {
        // It is what was signed; nothing runs it any more.
        const bool outdated = error.is(execution::KernelError::kAbiMismatch);
        wrong += outdated ? 0 : 1;
        if (a.json)
            print_json_line({{"event", outdated ? "outdated" : "wrong"},
                             {"error", fmt::format("{}.{}", error.room(), error.name())},
                             {"message", error.message()}});
        else
            std::fprintf(stderr, "esper: %s\n",
                         (outdated ? error.message() : error.to_string()).c_str());
    }
    if (wrong > 0)
        return fail(UrzaError::kBadRow,
                    fmt::format("{} thing{} of the library {} not what was signed", wrong,
                                wrong == 1 ? "" : "s", wrong == 1 ? "is" : "are"));
    ESPER_TRY(const auto head, library->head());
    if (a.json)
        print_json_line({{"event", "verified"}, {"number", head.number}, {"hash", head.hash}});
    else
        std::printf("every signature, digest and entry holds; the ledger's head is %llu:%s\n",
                    static_cast<unsigned long long>(head.number), head.hash.c_str());
    return {};
}

Status ledger(const Arguments& a) {
    ESPER_TRY(const auto library, open(a));
    constexpr std::uint32_t kAtOnce = 1000;
    for (auto after = static_cast<std::uint64_t>(a.after);;) {
        ESPER_TRY(const auto entries, library->ledger(after, kAtOnce));
        for (const auto& entry : entries) {
            after = entry.number;
            a.json ? print_json_line(entry_json(entry)) : print_entry(entry);
        }
        if (entries.size() < kAtOnce) return {};
    }
}

Status events(const Arguments& a) {
    ESPER_TRY(const auto library, open(a));
    return print_events(*library, static_cast<std::uint64_t>(a.after), a.follow, a.json);
}

Status collect(const Arguments& a) {
    ESPER_TRY(const auto library, open(a));
    ESPER_TRY(const auto collected, library->collect({a.keep}));
    if (a.json)
        print_json_line({{"event", "collected"},
                         {"kernels", collected.kernels},
                         {"files", collected.files},
                         {"young_files", collected.young},
                         {"bytes", collected.bytes}});
    else
        std::printf(
            "%llu kernels lost their object, %llu files and %s bytes were removed; every "
            "blueprint, verdict and ledger entry is still there\n",
            static_cast<unsigned long long>(collected.kernels),
            static_cast<unsigned long long>(collected.files),
            human_count(static_cast<double>(collected.bytes)).c_str());
    if (!a.json && collected.young > 0)
        std::printf(
            "%llu files that no kernel needs are less than an hour old, and stay until a later "
            "gc\n",
            static_cast<unsigned long long>(collected.young));
    return {};
}

void print_copied(const Arguments& a, const char* event, const urza::Copied& copied,
                  const std::string& where) {
    if (a.json)
        print_json_line({{"event", event},
                         {"rows", copied.rows},
                         {"objects", copied.objects},
                         {"where", where}});
    else
        std::printf("%llu rows and %llu objects are in %s\n",
                    static_cast<unsigned long long>(copied.rows),
                    static_cast<unsigned long long>(copied.objects), where.c_str());
}

Status back_up(const Arguments& a) {
    ESPER_TRY(const auto copied, urza::back_up(a.folder, a.objects, a.file));
    print_copied(a, "backed up", copied, a.file);
    if (!a.json)
        std::fprintf(stderr,
                     "esper: the keys' secrets are not in it; keep a copy of the folder of keys, "
                     "too\n");
    return {};
}

Status restore(const Arguments& a) {
    ESPER_TRY(const auto copied, urza::restore(a.file, a.folder, a.objects));
    print_copied(a, "restored", copied,
                 urza::shown_address(a.folder.empty() ? urza::default_library_path() : a.folder));
    return {};
}

Status report(const Arguments& a) {
    ESPER_TRY(const auto library, open(a));
    std::map<std::string, std::string> names;
    ESPER_CHECK_STATUS(each_blueprint(*library, [&](const contracts::Blueprint& blueprint) {
        names[blueprint.blueprint_id] = blueprint.name;
    }));
    const auto is_asked_for = [&](const std::string& name) {
        return a.id.empty() || name == a.id || name.starts_with(a.id + "/");
    };
    ESPER_TRY(const auto reports, library->reports(""));
    const auto asked_for = [&](const auto& filed) {
        return is_asked_for(names[filed.report.blueprint_id]);
    };
    if (!a.json && std::ranges::none_of(reports, asked_for))
        std::fprintf(stderr,
                     "esper: no run has reported %s yet; runs with growth.kernels=true do\n",
                     a.id.empty() ? "to this library" : ("a seed of '" + a.id + "'").c_str());
    for (const auto& filed : reports) {
        const auto& name = names[filed.report.blueprint_id];
        if (!is_asked_for(name)) continue;
        if (!a.json) {
            print_report_line(name, filed);
            continue;
        }
        ESPER_TRY(const auto text, contracts::to_json(filed.report));
        print_json_line({{"event", "report"},
                         {"run", filed.run},
                         {"seed", filed.seed},
                         {"host", filed.host},
                         {"blueprint", name},
                         {"report", json::parse(text)}});
    }
    ESPER_TRY(const auto candidates, library->measured_candidates());
    if (!a.json && !candidates.empty())
        std::printf("\n%-28s %-6s %6s %10s %9s %14s\n", "blueprint", "host", "runs", "measured",
                    "chosen", "chosen in runs");
    for (const auto& c : candidates) {
        const auto& name = names[c.blueprint];
        if (!is_asked_for(name)) continue;
        if (a.json)
            print_json_line({{"event", "candidates"},
                             {"blueprint", name},
                             {"host", c.host},
                             {"runs", c.runs},
                             {"measured", c.measured},
                             {"chosen", c.chosen},
                             {"runs_chosen", c.runs_chosen}});
        else
            std::printf("%-28s %-6s %6lld %10lld %9lld %14lld\n", name.c_str(), c.host.c_str(),
                        static_cast<long long>(c.runs), static_cast<long long>(c.measured),
                        static_cast<long long>(c.chosen), static_cast<long long>(c.runs_chosen));
    }
    return {};
}

Status risk(const Arguments& a) {
    ESPER_TRY(const auto library, open(a));
    return print_risk(*library, a.json);
}

Result<std::int64_t> number_of(const std::string& text) {
    std::int64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec == std::errc() && read.ptr == text.data() + text.size() && number > 0)
        return number;
    return fail(UrzaError::kBadRequest,
                fmt::format("'{}' is no size; expected e.g. --sample 64x16x16 --rows 1-128", text));
}

/// What `--sample 64x16x16 --rows 1-128` asks for.
Result<std::optional<urza::KernelAsk>> ask_of(const Arguments& a, const std::string& branch) {
    if (a.sample.empty() && a.rows.empty() && a.precision.empty())
        return std::optional<urza::KernelAsk>();
    if (a.sample.empty())
        return fail(UrzaError::kBadRequest,
                    "--rows and --precision say what is asked for together with --sample, e.g. "
                    "--sample 64x16x16; give that, too");
    urza::KernelAsk ask;
    ask.branch = branch;
    ask.precision = a.precision.empty() ? "fp32" : a.precision;
    for (const auto& size : split(a.sample, 'x')) {
        ESPER_TRY(const std::int64_t number, number_of(size));
        ask.shape.sample.push_back(number);
    }
    const auto rows = split(a.rows.empty() ? "1" : a.rows, '-');
    ESPER_TRY(ask.shape.rows_min, number_of(rows.front()));
    ESPER_TRY(ask.shape.rows_max, number_of(rows.back()));
    return std::optional(ask);
}

/// What each seed of a run decided about a kernel; `reasons` grows.
Status add_decisions(const std::string& folder, const urza::KernelRecord& record,
                     std::vector<urza::Reason>& reasons) {
    ESPER_TRY(const auto run, records::read_run_json(folder));
    bool asked = false;
    const auto kernels = run.value("kernels", json::object());
    for (const auto& seed : kernels.value("seeds", json::array())) {
        const auto runs = records::text_of(seed, "kernel");
        const bool mine = runs == record.manifest.artifact;
        if (!mine && records::text_of(seed, "branch") != record.manifest.branch) continue;
        asked = true;
        const auto fault = records::text_of(seed, "fault");
        reasons.push_back(
            {fmt::format("seed {} ({} at {}) runs it", records::text_of(seed, "seed"),
                         records::text_of(seed, "blueprint"), records::text_of(seed, "anchor")),
             mine && fault.empty(),
             mine && !fault.empty() ? fault : records::text_of(seed, "why")});
    }
    if (!asked)
        reasons.push_back(
            {"a seed of the run asked for it", false, "no seed of " + folder + " has this branch"});
    return {};
}

Status why(const Arguments& a) {
    ESPER_TRY(const auto library, open(a));
    ESPER_TRY(const std::string id, whole_id(*library, a.id));
    ESPER_TRY(const auto record, library->kernel(id));
    ESPER_TRY(const auto ask, ask_of(a, record.manifest.branch));
    ESPER_TRY(auto reasons, library->why(id, ask));
    if (!a.run.empty()) ESPER_CHECK_STATUS(add_decisions(a.run, record, reasons));
    for (const auto& reason : reasons)
        a.json
            ? print_json_line({{"what", reason.what}, {"holds", reason.holds}, {"why", reason.why}})
            : print_reason(reason);
    return {};
}

}  // namespace

void add_library(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* library = app.add_subcommand(
        "library", "blueprints and kernels, their verdicts, and who signed them");
    library->require_subcommand(1);
    const auto command = [&](const char* name, const char* what, Status (*act)(const Arguments&)) {
        auto* made = library->add_subcommand(name, what);
        add_library_options(*made, a->folder, a->objects);
        made->add_flag("--json", a->json, "standard output is JSON lines only");
        made->callback([a, act, &exit_code] {
            const Status done = act(*a);
            exit_code = done ? 0 : report_error(done.error());
        });
        return made;
    };
    command("ls", "the blueprints, or the kernels", list)
        ->add_flag("--kernels", a->kernels, "the kernels");
    command("show", "all that is known of one blueprint or kernel", show)
        ->add_option("id", a->id, "its id, or how it begins")
        ->required();
    auto* adds = command("add", "add a blueprint from the text of a Program", add);
    adds->add_option("file", a->file, "the Program's text")->required();
    adds->add_option("--name", a->name, "its name (default: the file's)");
    adds->add_option("--about", a->about, "one sentence about it");
    adds->add_option("--parent", a->parent, "the blueprint that it descends from");
    adds->add_option("--by", a->by, "who adds it");
    auto* verifies = command("verify", "check every digest, signature and ledger entry", verify);
    auto* head = verifies->add_option("--head", a->head,
                                      "NUMBER:HASH of a ledger head that was seen before");
    verifies->add_option("--run", a->run, "a run's folder: the ledger's head that it saw")
        ->excludes(head);
    command("reports", "how seeds ended in runs, and which candidates runs measured", report)
        ->add_option("blueprint", a->id, "of this one only, e.g. low_rank or low_rank/tokens");
    command("risk", "how often kernels failed in runs, against the risk that was predicted", risk);
    const CLI::Range a_number(std::int64_t{0}, static_cast<std::int64_t>(urza::kLastLedgerEntry));
    command("ledger", "every change, in order", ledger)
        ->add_option("--after", a->after, "from the entry after this number on")
        ->check(a_number);
    auto* told = command("events", "the changes as events, each with its topic", events);
    told->add_option("--after", a->after, "from the event after this number on")->check(a_number);
    told->add_flag("--follow", a->follow, "and each new one as it comes, until Ctrl-C");
    command("gc", "drop objects that nobody needs; rows and lineage stay", collect)
        ->add_option("--keep", a->keep, "kernels of each blueprint (default: 100)");
    command("backup", "copy all of it into a new folder, while others use it", back_up)
        ->add_option("folder", a->file, "the folder, which is made")
        ->required();
    command("restore", "copy what backup made into an empty library", restore)
        ->add_option("folder", a->file, "the backup's folder")
        ->required();
    auto* reasons = command("why", "why a kernel is, or is not, used", why);
    reasons->add_option("kernel", a->id, "its id, or how it begins")->required();
    reasons->add_option("--sample", a->sample, "sizes of one sample, e.g. 64x16x16");
    reasons->add_option("--rows", a->rows, "numbers of samples, e.g. 32 or 1-128 (default: 1)");
    reasons->add_option("--precision", a->precision, "fp32 (default) or bf16")
        ->check(CLI::IsMember({"fp32", "bf16"}));
    reasons->add_option("--run", a->run, "a run's folder: what its seeds decided about it");
}

}  // namespace esper::cli
