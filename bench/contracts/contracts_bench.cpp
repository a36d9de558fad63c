#include <atomic>
#include <cstdlib>
#include <new>
#include <nlohmann/json.hpp>

#include "bench_report.h"
#include "esper/base/hash.h"
#include "esper/contracts/messages.h"
#include "esper/contracts/telemetry_record.h"
#include "esper/contracts/validators.h"

namespace {
std::atomic<long> allocations{0};
}
[[gnu::noinline]] void* operator new(std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* p = std::malloc(size)) return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace {

using namespace esper::contracts;
using Json = nlohmann::json;

/// A blueprint whose JSON is about 10 KB.
Blueprint blueprint() {
    Blueprint b{.blueprint_id = std::string(64, 'a'), .name = "bottleneck", .description = "conv"};
    std::string text = "esper-program 1 \"bottleneck\"\ninput x: f32[?, 64, 8, 8]\n";
    int last = -1;
    for (int i = 0; text.size() < 8800; ++i) {
        text += fmt::format("param conv{}.weight: f32[64, 64, 3, 3] normal(0.0589)\n", i);
        text += fmt::format(
            "%{} = aten::conv2d({}, conv{}.weight, none, [1, 1], [1, 1], [1, 1], 1)"
            " @ block{}\n",
            i, last < 0 ? "x" : fmt::format("%{}", last), i, i);
        last = i;
    }
    text += fmt::format("output y: %{}\n", last);
    b.architecture_sha256 = esper::sha256(text).hex();
    b.architecture = std::move(text);
    b.hyperparameters = *JsonText::parse(R"({"width":64,"depth":40,"activation":"relu"})");
    b.performance_metrics = {{"accuracy", 0.913}, {"latency_ms", 0.41}};
    b.metadata = *JsonText::parse(R"({"tags":["conv","residual"],"notes":"from the catalogue"})");
    b.created_by = "Karn";
    return b;
}

HealthSignal signal() {
    return {.at = {.layer = "layer2.0.conv1", .layer_index = 7, .seed = 0},
            .epoch = 12,
            .activation_variance = 0.731,
            .dead_neuron_ratio = 0.0625,
            .avg_correlation = 0.113,
            .gradient_norm = 0.0125,
            .execution_latency_us = 41.5,
            .timestamp = {1'764'000'000'000'000'000}};
}

/// The same fields by hand with nlohmann: no rules checked, which favours the peer.
Json peer_json(const HealthSignal& s) {
    return {{"at", {{"layer", s.at.layer}, {"layer_index", s.at.layer_index}, {"seed", s.at.seed}}},
            {"chunk_id", s.chunk_id},
            {"epoch", s.epoch},
            {"activation_variance", s.activation_variance},
            {"dead_neuron_ratio", s.dead_neuron_ratio},
            {"avg_correlation", s.avg_correlation},
            {"is_ready_for_transition", s.is_ready_for_transition},
            {"health_score", s.health_score},
            {"gradient_norm", *s.gradient_norm},
            {"execution_latency_us", s.execution_latency_us},
            {"error_count", s.error_count},
            {"active_seeds", s.active_seeds},
            {"total_seeds", s.total_seeds},
            {"timestamp", to_string(s.timestamp)}};
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("contracts");
    report.set_version("nlohmann_json",
                       fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                   NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH));
    TelemetryRecord record;
    std::array<std::byte, kTelemetryBytes> bytes{};
    const auto encode_one = [&] {
        ++record.sequence;
        encode(record, bytes);
        bench::keep(bytes);
    };
    encode_one();
    const long before = allocations.load();
    const auto encode_ns = bench::sample(2000, 100, encode_one);
    // The vector of samples allocates a few times. One hidden allocation per call would make
    // 200,000.
    const long made = allocations.load() - before;
    if (made > 20) {
        fmt::print(stderr, "encoding telemetry allocated: {} times\n", made);
        return 1;
    }
    report.add_goal("telemetry encode + checksum p50 (0 allocations)", "ns", encode_ns, 50);

    const HealthSignal health = signal();
    const auto to_text = bench::interleave(
        300, 50, [&] { bench::keep(to_json(health)); },
        [&] { bench::keep(peer_json(health).dump()); });
    report.add_pairs("HealthSignal to JSON, checked", "ns", to_text, "nlohmann dump");
    const std::string text = *to_json(health);
    const auto from_text = bench::interleave(
        300, 50, [&] { bench::keep(from_json<HealthSignal>(text)); },
        [&] { bench::keep(Json::parse(text)); });
    report.add_pairs("HealthSignal from JSON, checked", "ns", from_text,
                     "nlohmann parse (DOM only)");
    const auto to_bytes = bench::interleave(
        300, 50, [&] { bench::keep(to_binary(health)); },
        [&] { bench::keep(Json::to_cbor(peer_json(health))); });
    report.add_pairs("HealthSignal to binary, checked", "ns", to_bytes, "nlohmann CBOR");

    const Blueprint b = blueprint();
    const std::string document = *to_json(b);
    const auto parse = bench::interleave(
        300, 5,
        [&] {
            auto read = from_json<Blueprint>(document);
            if (!read || !validate(*read)) std::abort();
            bench::keep(read);
        },
        [&] { bench::keep(Json::parse(document)); });
    report.add_goal(fmt::format("blueprint of {:.1f} KB parse + validate p50",
                                static_cast<double>(document.size()) / 1000),
                    "ns", parse.ours, 100'000);
    const auto plain = bench::interleave(
        300, 5, [&] { bench::keep(from_json<Blueprint>(document)); },
        [&] { bench::keep(Json::parse(document)); });
    report.add_pairs("blueprint parse, checked", "ns", plain, "nlohmann parse (DOM only)");
    const auto dump = bench::interleave(
        300, 5, [&] { bench::keep(to_json(b)); },
        [&, dom = Json::parse(document)] { bench::keep(dom.dump()); });
    report.add_pairs("blueprint to JSON, checked", "ns", dump, "nlohmann dump (DOM ready)");
    report.add_goal("blueprint to JSON against the roadmap's 1 ms", "ns", dump.ours, 1'000'000,
                    0.99);
    return report.finish(argc, argv);
}
