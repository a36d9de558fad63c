#include "esper/services/supply/kernel_orders.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>

#include "esper/base/printable_text.h"
#include "esper/execution/kernels/child_process.h"
#include "esper/program/text/text_format.h"
#include "esper/services/supply/best_known.h"
#include "esper/services/supply/known_refusals.h"
#include "esper/services/supply/store_kernel.h"
#include "esper/services/urza/library_keys.h"

namespace esper::supply {

using execution::SandboxLevel;
using nlohmann::json;
using tezzeret::Forged;

SandboxLevel least_sandbox(std::string_view wish) {
    if (wish == "bubblewrap") return SandboxLevel::kNamespaces;
    return wish == "require" ? SandboxLevel::kJail : SandboxLevel::kLimits;
}

std::string_view sandbox_wish(SandboxLevel least) {
    if (least == SandboxLevel::kNamespaces) return "bubblewrap";
    return least == SandboxLevel::kJail ? "require" : "prefer";
}

std::string text_of(const ForgeOrder& order) {
    json text{{"branch", order.branch},       {"program", order.program},
              {"blueprint", order.blueprint}, {"anchor_kind", order.anchor_kind},
              {"precision", order.precision}, {"sample", order.sample},
              {"samples", order.samples}};
    // Without it the text is what earlier versions wrote: the same job.
    if (order.pipeline != tezzeret::Pipeline::kFast)
        text["pipeline"] = tezzeret::pipeline_name(order.pipeline);
    return text.dump();
}

Result<ForgeOrder> order_of(const std::string& line) {
    const auto text = json::parse(line, nullptr, false);
    try {
        ForgeOrder order;
        order.branch = text.at("branch");
        order.program = text.at("program");
        order.blueprint = text.at("blueprint");
        order.anchor_kind = text.at("anchor_kind");
        order.precision = text.at("precision");
        order.sample = text.at("sample").get<std::vector<std::int64_t>>();
        order.samples = text.at("samples");
        const std::string name = text.value("pipeline", "fast");
        const auto pipeline = tezzeret::pipeline_from_name(name);
        if (!pipeline)
            return fail(tezzeret::TezzeretError::kUnsupported,
                        "the order is for the pipeline " + in_quotes(name) +
                            ": expected fast, standard or aggressive");
        order.pipeline = *pipeline;
        return order;
    } catch (const json::exception&) {
        return fail(tezzeret::TezzeretError::kUnsupported,
                    "the text is no order for a kernel: expected one line of JSON with the texts "
                    "branch, program, blueprint, anchor_kind and precision, the numbers sample and "
                    "the number samples");
    }
}

std::string text_of(const OrderOutcome& outcome) {
    return json{{"branch", outcome.branch}, {"precision", outcome.precision},
                {"status", outcome.status}, {"why", outcome.why},
                {"id", outcome.id},         {"faster", outcome.faster}}
        .dump();
}

std::optional<OrderOutcome> outcome_of(const std::string& line) {
    const auto said = json::parse(line, nullptr, false);
    try {
        return OrderOutcome{said.at("branch"), said.at("precision"), said.at("status"),
                            said.at("why"),    said.at("id"),        said.at("faster")};
    } catch (const json::exception&) {
        return {};
    }
}

void set_priority(pid_t process, int nice) {
    constexpr int kLowestPriority = 19;
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(process), nice);
    const sched_param none{};
    if (nice >= kLowestPriority) ::sched_setscheduler(process, SCHED_IDLE, &none);
}

namespace {

void be_a_background_process(int nice) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    set_priority(0, nice);
    // A trial is a copy of this process, which must have one thread.
    at::set_num_threads(1);
}

Result<OrderOutcome> carry_out(const ForgeOrder& need, const std::string& folder,
                               const std::string& cannot, SandboxLevel least_sandbox) {
    if (!cannot.empty()) return fail(tezzeret::TezzeretError::kCompileFailed, cannot);
    ESPER_TRY(const auto branch, graph::from_text(need.program));
    OrderOutcome outcome{need.branch, need.precision, "failed", "", "", false};
    if (branch->hash().hex() != need.branch) {
        outcome.why = "its text is another branch's than its hash says";
        return outcome;
    }
    tezzeret::Order order;
    order.branch = branch;
    order.least_sandbox = least_sandbox;
    order.precision =
        need.precision == "bf16" ? graph::Precision::kBFloat16 : graph::Precision::kFloat32;
    auto shape = need.sample;
    shape.insert(shape.begin(), need.samples);
    order.shapes.push_back(std::move(shape));
    order.pipeline = need.pipeline;
    if (order.pipeline == tezzeret::Pipeline::kAggressive) {
        ESPER_TRY(order.best_known, best_known(folder, need));
        if (!order.best_known) {
            outcome.why = "an aggressive search needs a kernel to beat, and the library has none";
            return outcome;
        }
    }
    const auto made = tezzeret::forge(order);
    outcome.status = tezzeret::status_name(made.status);
    outcome.why = made.why;
    outcome.faster = !made.findings.speeds.empty() && made.findings.speeds.front().chosen();
    if (made.status == Forged::Status::kUnsupported) remember_refusal(folder, need, made.why);
    // Opened for each: a library has threads, and the next trial is a copy of this process.
    ESPER_TRY(const auto library, urza::open_library(folder));
    const auto keys = urza::keys_of(folder);
    ESPER_TRY(outcome.id,
              store_kernel(*library, keys, need.blueprint, need.anchor_kind, order, made));
    return outcome;
}

}  // namespace

std::string why_no_forge(const ForgeWishes& wishes) {
    if (tezzeret::find_compilers().empty()) return std::string(tezzeret::kNoCompiler);
    if (wishes.least_sandbox == SandboxLevel::kLimits) return "";
    const auto& here = execution::sandbox();
    if (here.level >= wishes.least_sandbox) return "";
    return fmt::format("{} for the compiler is required (forge.sandbox: {}), and {}",
                       wishes.least_sandbox == SandboxLevel::kJail ? "a jail" : "bubblewrap",
                       sandbox_wish(wishes.least_sandbox), here.why_not_higher);
}

int forge_orders(const std::string& library, const ForgeWishes& wishes) {
    const auto parent = ::getppid();
    be_a_background_process(wishes.nice);
    if (::getppid() != parent) return 1;  // it ended before the signal was asked for
    int failed = 0;
    const auto cannot = why_no_forge(wishes);
    for (std::string line; std::getline(std::cin, line);) {
        const auto need = order_of(line);
        auto outcome = need ? carry_out(*need, library, cannot, wishes.least_sandbox)
                            : tl::unexpected(need.error());
        if (!outcome) {
            outcome = OrderOutcome{need ? need->branch : "",
                                   need ? need->precision : "",
                                   "failed",
                                   outcome.error().to_string(),
                                   "",
                                   false};
            failed = 1;
        }
        std::cout << text_of(*outcome) << std::endl;
    }
    return failed;
}

}  // namespace esper::supply
