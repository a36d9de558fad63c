#include <torch/version.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/services/tolaria/data/open_dataset.h"

namespace esper::cli {

namespace {

using nlohmann::json;

std::string cpuinfo(const std::string& key) {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(key)) continue;
        const auto colon = line.find(':');
        if (colon != std::string::npos && colon + 2 <= line.size()) return line.substr(colon + 2);
    }
    return "unknown";
}

json machine() {
    const auto flags = " " + cpuinfo("flags") + " ";
    const auto has = [&](const char* flag) {
        return flags.find(std::string(" ") + flag + " ") != std::string::npos;
    };
    const double memory =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
    return {{"cpu", cpuinfo("model name")}, {"cores", std::thread::hardware_concurrency()},
            {"memory_bytes", memory},       {"avx2", has("avx2")},
            {"avx512", has("avx512f")},     {"avx512_bf16", has("avx512_bf16")},
            {"amx_bf16", has("amx_bf16")}};
}

json check(const char* what, bool works, const std::string& why) {
    return {{"what", what}, {"works", works}, {"why", why}};
}

json checks(const json& about) {
    const bool fast_bf16 = about["avx512_bf16"].get<bool>() || about["amx_bf16"].get<bool>();
    const auto text = tolaria::find_data("data/tinyshakespeare.txt");
    const auto cifar = tolaria::find_data("data/cifar-10-batches-bin");
    const bool writable = access(".", W_OK) == 0;
    return json::array(
        {check("training in fp32", true, "runs on any x86-64 or ARM processor"),
         check("fast bf16", fast_bf16,
               fast_bf16 ? "the processor multiplies bf16 itself"
                         : "the processor has no bf16 arithmetic; run.precision: auto takes fp32"),
         check("bundled text", std::filesystem::exists(text),
               std::filesystem::exists(text) ? text.string()
                                             : "data/tinyshakespeare.txt was not found"),
         check("cifar10", std::filesystem::exists(cifar),
               std::filesystem::exists(cifar)
                   ? cifar.string()
                   : "put the binary files into data/cifar-10-batches-bin, or set data.path"),
         check("runs here", writable,
               writable ? "the working directory can be written"
                        : "the working directory cannot be written; name a folder with --run")});
}

int examine(bool as_json) {
    const auto about = machine();
    const json versions{{"esper", "0.1.0"},
                        {"torch", TORCH_VERSION},
                        {"compiler", __VERSION__},
                        {"cli11", CLI11_VERSION}};
    const auto results = checks(about);
    if (as_json) {
        const json all{{"machine", about}, {"versions", versions}, {"checks", results}};
        std::printf("%s\n", all.dump().c_str());
        return 0;
    }
    std::printf("%s, %u cores, %sB memory\n", about["cpu"].get<std::string>().c_str(),
                about["cores"].get<unsigned>(),
                human_count(about["memory_bytes"].get<double>()).c_str());
    for (const auto* flag : {"avx2", "avx512", "avx512_bf16", "amx_bf16"})
        std::printf("  %-12s %s\n", flag, about[flag].get<bool>() ? "yes" : "no");
    for (const auto& [name, version] : versions.items())
        std::printf("  %-12s %s\n", name.c_str(), version.get<std::string>().c_str());
    for (const auto& result : results)
        std::printf("%s %-18s %s\n", result["works"].get<bool>() ? "works:      " : "does not:   ",
                    result["what"].get<std::string>().c_str(),
                    result["why"].get<std::string>().c_str());
    return 0;
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
    auto as_json = std::make_shared<bool>(false);
    auto* command = app.add_subcommand("doctor", "what works on this machine, and why not");
    command->add_flag("--json", *as_json, "one JSON line");
    command->callback([as_json, &exit_code] { exit_code = examine(*as_json); });
}

}  // namespace esper::cli
