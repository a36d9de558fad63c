#include "esper/services/nissa/decision_traces.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "esper/contracts/timestamp.h"
#include "esper/services/nissa/otlp.h"
#include "esper/services/nissa/split_trace.h"
#include "esper/services/nissa/timed_events.h"
#include "esper/services/records/run_files.h"
#include "esper/services/urza/library.h"

namespace esper::nissa {

using nlohmann::json;
using records::Event;

namespace {

constexpr const char* kKasmina = "esper-kasmina";
constexpr const char* kUrza = "esper-urza";
constexpr const char* kTezzeret = "esper-tezzeret";
constexpr const char* kUrabrask = "esper-urabrask";

/// When and how a kernel came to be, as the library knows.
class KernelBirths {
  public:
    explicit KernelBirths(const std::filesystem::path& folder) {
        if (folder.empty()) return;
        if (auto library = urza::open_library_to_read(folder)) library_ = std::move(*library);
    }

    void add(Trace& trace, std::size_t parent, const std::string& id) const {
        if (!library_) return;
        const auto kernel = library_->kernel(id);
        if (!kernel) return;
        const auto& compiled = kernel->artifact.compilation_metadata;
        const auto made = kernel->artifact.created_at.utc_ns;
        const auto took = static_cast<std::int64_t>(1e9 * compiled.compilation_seconds);
        const bool is_older = made < trace.spans[parent].begin_ns;
        trace.add({kTezzeret,
                   "compile a kernel",
                   made - took,
                   made,
                   {{"esper.kernel", id},
                    {"esper.toolchain", compiled.toolchain_version},
                    {"esper.key", kernel->forged.key},
                    {"esper.before_this_decision", is_older}},
                   "",
                   parent});
        if (!kernel->verdict) return;
        const auto& verdict = *kernel->verdict;
        json said{{"esper.kernel", id},
                  {"esper.hardware", verdict.hardware},
                  {"esper.tags", verdict.tags},
                  {"esper.key", kernel->judged.key},
                  {"esper.before_this_decision", is_older}};
        if (const auto& report = kernel->artifact.validation_report)
            for (const auto& [name, value] : report->baseline_comparison)
                said["esper." + name] = value;
        trace.add({kUrabrask, verdict.passed ? "verdict: passed" : "verdict: refused", made,
                   std::max(made, verdict.at.utc_ns), std::move(said),
                   verdict.passed ? "" : "the kernel was refused", parent});
    }

  private:
    std::unique_ptr<urza::Library> library_;
};

class SeedTrace {
  public:
    SeedTrace(const std::vector<TimedEvent>& events, const KernelBirths& births, Trace& trace)
        : events_(events), births_(births), trace_(trace) {}

    /// `birth`: the place of the decision, or of the transition where none was written.
    void tell(const std::string& seed, std::size_t birth) {
        const auto& born = events_[birth];
        auto first = birth;
        while (first > 0 && events_[first - 1].event.step() == born.event.step()) --first;
        trace_.add({kTolaria,
                    fmt::format("seed {}", seed),
                    events_[first].begin_ns,
                    born.end_ns,
                    {{"esper.seed", seed},
                     {"esper.anchor", born.event.text("anchor")},
                     {"esper.blueprint", born.event.text("blueprint")}}});
        within_ = trace_.add({kTolaria,
                              fmt::format("boundary at step {}", born.event.step()),
                              events_[first].begin_ns,
                              born.end_ns,
                              {{"esper.step", born.event.step()}},
                              "",
                              0});
        // Of what was measured before it, all candidates.
        for (auto i = first; i < birth; ++i) measured(events_[i]);
        for (auto i = birth; i < events_.size(); ++i)
            if (events_[i].event.text("seed") == seed || blames(events_[i].event, seed))
                take(events_[i]);
        auto& root = trace_.spans.front();
        for (const auto& span : trace_.spans) root.end_ns = std::max(root.end_ns, span.end_ns);
        if (!fate_.empty()) root.attributes["esper.fate"] = fate_;
    }

  private:
    static bool blames(const Event& event, const std::string& seed) {
        const auto blamed = event.content().find("failed_seed");
        return blamed != event.content().end() && blamed->is_object() &&
               records::text_of(*blamed, "seed") == seed;
    }

    std::size_t add(const char* service, std::string name, const TimedEvent& at,
                    std::string fault = "") {
        auto& around = trace_.spans[within_];
        around.end_ns = std::max(around.end_ns, at.end_ns);
        return trace_.add({service, std::move(name), at.begin_ns, at.end_ns, details_of(at.event),
                           std::move(fault), within_});
    }

    void measured(const TimedEvent& at) {
        const auto& event = at.event;
        const auto candidate = event.text("blueprint") + " at " + event.text("anchor");
        if (event.is("readout")) add(kTolaria, "measure " + candidate, at);
        if (event.is("refused")) add(kTolaria, "not measured: " + candidate, at);
    }

    void take(const TimedEvent& at) {
        const auto& event = at.event;
        if (event.is("decision")) {
            add(kTamiyo, "decide: " + event.text("command"), at);
        } else if (event.is("gate")) {
            add(kTolaria, fmt::format("look {}: {}", event.integer("look"), event.text("verdict")),
                at);
        } else if (event.is("scale")) {
            add(kTolaria, "scale its output", at);
        } else if (event.is("transition")) {
            move(at);
        } else if (event.is("kernel")) {
            supply(at);
        } else if (event.is("kernel_fault")) {
            add(kUrza, "take its kernel out", at, event.text("reason"));
        } else if (event.is("fault")) {
            add(kKasmina, "take the seed out", at, event.text("reason"));
            fate_ = "FAULT";
        } else if (event.is("rollback")) {
            add(kTolaria, fmt::format("roll back to step {}", event.integer("to_step")), at,
                event.text("reason"));
            fate_ = "ROLLED_BACK";
        } else if (event.is("refused")) {
            add(kTolaria, "not measured: " + event.text("what"), at);
        }
    }

    void supply(const TimedEvent& at) {
        const auto& event = at.event;
        const bool is_native = event.text("runs") == "kernel";
        const auto offer = add(
            kUrza, is_native ? "offer and load a kernel" : "no kernel: operators compute it", at);
        for (const auto& reason : event.content().value("refused", json::array()))
            if (reason.is_string())
                trace_.add({kUrza, "refuse a kernel", at.end_ns, at.end_ns, json::object(),
                            reason.get<std::string>(), offer});
        if (!is_native) return;
        births_.add(trace_, offer, event.text("kernel"));
        trace_.add({kKasmina,
                    "swap the kernel in",
                    at.end_ns,
                    at.end_ns,
                    {{"esper.kernel", event.text("kernel")}},
                    "",
                    offer});
    }

    // Its states up to TRAINING are gone through in one boundary; from there on each is a span of
    // its own, in which what is decided and measured lies.
    void move(const TimedEvent& at) {
        static const std::set<std::string> kEnds = {"FOSSILIZED", "CULLED", "CANCELLED"};
        const auto to = at.event.text("to");
        add(kKasmina, at.event.text("from") + " to " + to, at);
        if (to == "GERMINATED" || to == "LOADING") return;
        if (is_in_state_) trace_.spans[within_].end_ns = at.end_ns;
        if (kEnds.contains(to)) {
            fate_ = to;
            within_ = 0;
            trace_.add(
                {kKasmina, "fate: " + to, at.end_ns, at.end_ns, details_of(at.event), "", 0});
            return;
        }
        is_in_state_ = true;
        within_ = trace_.add(
            {kKasmina, to, at.end_ns, at.end_ns, {{"esper.step", at.event.step()}}, "", 0});
    }

    const std::vector<TimedEvent>& events_;
    const KernelBirths& births_;
    Trace& trace_;
    std::size_t within_ = 0;  ///< the span in which the next one lies
    bool is_in_state_ = false;
    std::string fate_;
};

bool is_birth(const Event& event) {
    return (event.is("decision") && event.text("command") == "germinate") ||
           (event.is("transition") && event.text("to") == "GERMINATED");
}

}  // namespace

Result<json> decision_traces(const std::filesystem::path& run, const TraceQuery& query) {
    ESPER_CHECK_STATUS(records::check_run_folder(run));
    ESPER_TRY(const auto times, RunTimes::read(run));
    ESPER_TRY(const auto events, read_timed_events(run, times));
    const KernelBirths births(query.library);
    std::set<std::string> told;
    SplitNames splits;
    std::vector<Trace> traces;
    for (std::size_t i = 0; i < events.size(); ++i) {
        const auto& event = events[i].event;
        const auto split = splits.of(event);
        if (event.is("split") && query.seed.empty() &&
            (query.block.empty() || query.block == event.text("block")))
            traces.push_back(split_trace(events, i, trace_id_of(times.fingerprint(), split)));
        const auto seed = event.text("seed");
        if (!query.block.empty() || !is_birth(event) || !told.insert(seed).second) continue;
        if (!query.seed.empty() && seed != query.seed) continue;
        Trace trace{trace_id_of(times.fingerprint(), seed), {}};
        SeedTrace(events, births, trace).tell(seed, i);
        traces.push_back(std::move(trace));
    }
    if (traces.empty() && !query.seed.empty())
        return fail(NissaError::kBadQuery,
                    fmt::format("no seed {} germinated in {}", query.seed, run.string()));
    if (traces.empty() && !query.block.empty())
        return fail(NissaError::kBadQuery,
                    fmt::format("no block {} was split in {}", query.block, run.string()));
    const auto name = run.filename().empty() ? run.parent_path().filename() : run.filename();
    return otlp_of(traces,
                   {{"esper.run", name.string()}, {"esper.times_of_events", times.knows_events()}});
}

}  // namespace esper::nissa
