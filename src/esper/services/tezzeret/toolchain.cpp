#include "esper/services/tezzeret/toolchain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <set>

#include "esper/base/files.h"
#include "esper/base/first_line.h"
#include "esper/execution/kernels/kernel_manifest.h"

namespace esper::tezzeret {

using execution::run_program;
using execution::WorkFolder;

namespace {

std::string version_of(const std::filesystem::path& path) {
    auto folder = WorkFolder::make();
    if (!folder) return {};
    const auto end = run_program({path.string(), "--version"}, folder->path(), {});
    if (!end || !end->ended_well()) return {};
    return first_line(end->output);
}

std::vector<Compiler> look_for_compilers() {
    std::vector<Compiler> found;
    std::set<std::string> seen;
    for (const auto* name : {"g++", "c++", "clang++", "clang++-16"})
        for (const auto* folder : {"/usr/local/bin", "/usr/bin"}) {
            const auto path = std::filesystem::path(folder) / name;
            if (::access(path.c_str(), X_OK) != 0) continue;
            auto version = version_of(path);
            if (version.empty()) continue;
            // g++ and c++ are often one program, which names itself as it was called.
            const auto key = version.substr(version.find(' '));
            if (seen.insert(key).second) found.push_back({path, std::move(version)});
        }
    return found;
}

}  // namespace

const std::vector<Compiler>& find_compilers() {
    static const std::vector<Compiler> found = look_for_compilers();
    return found;
}

TargetIsa this_machine() {
    const auto& present = execution::cpu_features_here();
    const auto all = [&](const std::vector<std::string>& names) {
        return execution::missing_features(names, present).empty();
    };
    if (all({"avx512f", "avx512bw", "avx512vl", "avx512dq", "fma", "avx2"})) {
        TargetIsa isa{"avx512",
                      {"-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq",
                       "-mprefer-vector-width=512"},
                      false};
        if (all({"avx512_bf16"})) {
            isa.name = "avx512bf16";
            isa.flags.emplace_back("-mavx512bf16");
            isa.has_bf16_products = true;
        }
        return isa;
    }
    if (all({"avx2", "fma"})) return {"avx2", {"-mavx2", "-mfma"}, false};
    return {"baseline", {}, false};
}

std::vector<std::string> compiler_flags(const TargetIsa& isa, const Optimisation& optimisation) {
    std::vector<std::string> flags{"-std=c++20",
                                   "-ffp-contract=fast",
                                   "-fno-math-errno",
                                   "-fno-trapping-math",
                                   "-fno-exceptions",
                                   "-fno-rtti",
                                   "-fno-stack-protector",
                                   "-fno-asynchronous-unwind-tables",
                                   "-fvisibility=hidden",
                                   "-fPIC",
                                   "-shared",
                                   "-nostdlib",
                                   "-s",
                                   "-w",
                                   "-Wl,--build-id=none"};
    flags.insert(flags.begin() + 1, optimisation.begin(), optimisation.end());
    flags.insert(flags.end(), isa.flags.begin(), isa.flags.end());
    return flags;
}

// A compiler in the background gets little of a busy machine, so processor time alone ends it.
constexpr execution::ChildLimits kCompilerLimits{.wall_seconds = 600};

Result<Compiled> compile(const Compiler& compiler, const TargetIsa& isa, const std::string& source,
                         const Optimisation& optimisation, execution::SandboxLevel least_sandbox) {
    ESPER_TRY(const auto folder, WorkFolder::make());
    ESPER_CHECK_STATUS(write_file_atomic(folder.path() / "kernel.cpp", source));
    const auto flags = compiler_flags(isa, optimisation);
    std::vector<std::string> command{compiler.path.string()};
    command.insert(command.end(), flags.begin(), flags.end());
    for (const auto* word : {"kernel.cpp", "-o", "kernel.so"}) command.emplace_back(word);
    ESPER_TRY(const auto end, run_program(command, folder.path(), kCompilerLimits, least_sandbox));
    if (!end.ended_well())
        return fail(
            TezzeretError::kCompileFailed,
            fmt::format("{} {}: {}", compiler.path.string(), end.how(), end.output.substr(0, 600)));
    Compiled made;
    ESPER_TRY(made.object, read_file(folder.path() / "kernel.so", 16 << 20));
    made.cpu_seconds = end.cpu_seconds;
    made.sandbox = end.sandbox;
    made.flags = fmt::format("{}", fmt::join(flags, " "));
    return made;
}

}  // namespace esper::tezzeret
