#include "esper/cli/adapt_text.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"

namespace esper::cli {

using nlohmann::json;

namespace {

std::string why_not(const tamiyo::GateResult& gate) {
    if (gate.not_finite > 0)
        return fmt::format("the loss of {} examples is not finite with it", gate.not_finite);
    if (gate.needed > gate.t)
        return fmt::format(
            "it saves {:.4f} of loss an example, but so unevenly that {} examples have to say so, "
            "and the probe part has {}; give more data",
            gate.mean, gate.needed, gate.t);
    return fmt::format(
        "{:.4f} of loss saved an example [{:.4f}, {:.4f}] on {} examples is no proof that it saves "
        "{:g}",
        gate.mean, gate.lower, gate.upper, gate.t, gate.rent);
}

}  // namespace

void show_adapting(const json& news) {
    const auto& kind = news.at("event");
    if (kind == "place") {
        std::string others;
        for (const auto& gain : news.at("gains"))
            others += fmt::format("{}{}{} {:.4f}", others.empty() ? "" : ", ",
                                  gain.at("anchor").get<std::string>(),
                                  gain.at("blueprint") == news.at("blueprint")
                                      ? ""
                                      : " (" + gain.at("blueprint").get<std::string>() + ")",
                                  gain.at("gain").get<double>());
        std::fprintf(
            stderr,
            "%s of %lld units at %s: %s parameters, %.1f %% of the network's %s "
            "(predicted gains: %s)\n",
            news.at("blueprint").get<std::string>().c_str(),
            static_cast<long long>(news.at("width").get<std::int64_t>()),
            news.at("anchor").get<std::string>().c_str(),
            human_count(news.at("parameters").get<double>()).c_str(),
            100 * news.at("parameters").get<double>() / news.at("host_parameters").get<double>(),
            human_count(news.at("host_parameters").get<double>()).c_str(), others.c_str());
    } else if (kind == "rate") {
        std::string tried;
        for (const auto& one : news.at("tried"))
            tried += fmt::format("{}{:g} {:.4f}", tried.empty() ? "" : ", ",
                                 one.at("rate").get<double>(), one.at("loss").get<double>());
        std::fprintf(stderr, "rate %g (loss after %lld steps: %s)\n", news.at("rate").get<double>(),
                     static_cast<long long>(news.at("steps").get<std::int64_t>()), tried.c_str());
    } else if (kind == "lower") {
        std::fprintf(stderr, "step %lld: back to the best, and on at rate %g\n",
                     static_cast<long long>(news.at("step").get<std::int64_t>()),
                     news.at("rate").get<double>());
    } else {
        std::fprintf(stderr, "step %lld: validation loss %.4f\n",
                     static_cast<long long>(news.at("step").get<std::int64_t>()),
                     news.at("loss").get<double>());
    }
}

json adapted_json(const tolaria::Adaptation& done, const std::string& file) {
    const auto& adapter = done.adapter;
    return {{"event", "end"},
            {"kept", done.kept()},
            {"file", file.empty() ? json() : json(file)},
            {"host", adapter.host.host},
            {"anchor", adapter.part.anchor},
            {"width", adapter.part.width},
            {"parameters", adapter.part.parameters()},
            {"host_parameters", done.host_parameters},
            {"rate", done.rate},
            {"steps", done.steps},
            {"stopped_early", done.stopped_early},
            {"was_stopped", done.was_stopped},
            {"gate", tamiyo::to_json(done.gate)},
            {"losses", adapter.losses},
            {"flops", {{"training", done.training_flops}, {"measuring", done.measuring_flops}}},
            {"seconds", done.seconds}};
}

void show_adapted(const tolaria::Adaptation& done, const std::string& file) {
    const auto& losses = done.adapter.losses;
    const auto& gate = done.gate;
    std::printf("new data: test loss %.4f, the network alone %.4f\n", losses.at("new"),
                losses.at("new, host"));
    if (losses.contains("old"))
        std::printf("the run's data: test loss %.4f off (the network, unchanged), %.4f on\n",
                    losses.at("old, host"), losses.at("old"));
    std::printf("%s trained parameters; fine-tuning the whole network would train %s\n",
                human_count(static_cast<double>(done.adapter.part.parameters())).c_str(),
                human_count(static_cast<double>(done.host_parameters)).c_str());
    const double all = done.training_flops + done.measuring_flops;
    std::printf("%lld steps at rate %g%s, %s, %s FLOPs, %.1f %% of them measuring\n",
                static_cast<long long>(done.steps), done.rate,
                done.was_stopped     ? ", stopped by a signal"
                : done.stopped_early ? ", stopped early"
                                     : "",
                human_seconds(done.seconds).c_str(), human_count(all).c_str(),
                100 * done.measuring_flops / all);
    if (done.kept())
        std::printf("kept: it saves %.4f [%.4f, %.4f] or more of loss an example; %s\n", gate.mean,
                    gate.lower, gate.upper, file.c_str());
    else
        std::printf("not kept, nothing was written: %s\n", why_not(gate).c_str());
}

}  // namespace esper::cli
