#include "esper/cli/run_state.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "esper/program/text/text_format.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/learn/checkpoint.h"

namespace esper::cli {

namespace {

using tolaria::TolariaError;

// A Program that only declares the parameters of one block, in their order: the host's are those
// of no seed.
Result<graph::ProgramPtr> declarations_of(const graph::Program& program, const std::string& block) {
    const std::string prefix = block.starts_with("seed.") ? block + "." : "";
    graph::Program::Parts parts;
    for (auto parameter : program.parameters()) {
        const bool mine = prefix.empty() ? !parameter.name.starts_with("seed.")
                                         : parameter.name.starts_with(prefix);
        if (!mine) continue;
        parameter.value = graph::ValueId(parts.value_count++);
        parts.parameters.push_back(std::move(parameter));
    }
    return graph::Program::make(std::move(parts));
}

Status take(const tolaria::Checkpoint& checkpoint, const std::string& name,
            const at::Tensor& into) {
    auto it = checkpoint.tensors.find(name);
    if (it == checkpoint.tensors.end() || it->second.sizes() != into.sizes())
        return fail(TolariaError::kBadCheckpoint,
                    "the checkpoint's tensor '" + name + "' is missing or of another size");
    into.copy_(it->second);
    return {};
}

}  // namespace

Result<RunState> load_checkpoint(const std::filesystem::path& file) {
    ESPER_TRY(const auto checkpoint, tolaria::read_checkpoint(file));
    const auto state = nlohmann::json::parse(checkpoint.state, nullptr, false);
    if (!state.is_object() || !state.contains("program") || !state["program"].is_string())
        return fail(TolariaError::kBadCheckpoint, file.string() + " holds no Program");
    RunState run;
    run.step = state.value("step", std::int64_t{0});
    ESPER_TRY(run.program, graph::from_text(state["program"].get<std::string>()));
    if (state.value("program_sha256", run.program->hash().hex()) != run.program->hash().hex())
        return fail(TolariaError::kBadCheckpoint,
                    file.string() + ": its Program does not have the hash it names");
    for (const auto& [name, flat] : checkpoint.tensors) {
        if (!name.starts_with("block.")) continue;
        const auto block = name.substr(6);
        ESPER_TRY(const auto declared, declarations_of(*run.program, block));
        ESPER_CHECK_STATUS(run.store.add(*declared, block));
        if (auto made = run.store.find_block(block))
            ESPER_CHECK_STATUS(take(checkpoint, name, made->flat));
    }
    for (const auto& parameter : run.program->parameters())
        if (run.store.find_parameter(parameter.name) == nullptr)
            return fail(TolariaError::kBadCheckpoint,
                        "no block of the checkpoint holds parameter '" + parameter.name + "'");
    ESPER_CHECK_STATUS(run.store.add(*run.program, "none"));
    for (const auto& [name, tensor] : run.store.buffers())
        ESPER_CHECK_STATUS(take(checkpoint, "buffer." + name, tensor));
    for (const auto& [name, tensor] : run.store.controls())
        ESPER_CHECK_STATUS(take(checkpoint, "control." + name, tensor));
    return run;
}

Result<RunState> load_run(const std::filesystem::path& folder, const std::string& which) {
    ESPER_CHECK_STATUS(check_run_folder(folder));
    const tolaria::CheckpointRing ring(folder / "checkpoints", 1);
    ESPER_TRY(const auto file, ring.find(which));
    return load_checkpoint(file);
}

Result<std::vector<graph::JournalEntry>> load_journal(const std::filesystem::path& folder) {
    const auto path = folder / "journal.jsonl";
    if (!std::filesystem::exists(path)) return std::vector<graph::JournalEntry>{};
    return graph::read_journal(path);
}

Status check_run_folder(const std::filesystem::path& folder) {
    if (std::filesystem::exists(folder / "run.json")) return {};
    return fail(TolariaError::kBadRunFolder,
                folder.string() + " is not a run's folder (it has no run.json)");
}

int report_error(const Error& error) {
    std::fprintf(stderr, "esper: %s\n", error.message().c_str());
    return error.exit_code();
}

}  // namespace esper::cli
