#include "esper/services/tolaria/host/saved_host.h"

#include <fmt/format.h>

#include "esper/base/files.h"
#include "esper/program/binary/binary_format.h"
#include "esper/program/edits/journal.h"
#include "esper/program/edits/settle_seeds.h"
#include "esper/program/shapes.h"
#include "esper/program/text/text_format.h"

namespace esper::tolaria {

namespace {

constexpr std::string_view kJournal = "journal.jsonl";
constexpr std::string_view kTextStart = "esper-program ";
constexpr std::string_view kBinaryStart = "ESPRPROG";

Result<graph::ProgramPtr> read_program(const std::filesystem::path& path) {
    if (std::filesystem::is_directory(path)) {
        if (!std::filesystem::exists(path / kJournal))
            return fail(TolariaError::kUnsupported,
                        fmt::format("the folder is no run's: it has no {}", kJournal));
        ESPER_TRY(const auto entries, graph::read_journal(path / kJournal));
        return graph::replay(entries);
    }
    ESPER_TRY(const auto content, read_file(path, graph::Limits::kMaxBytes));
    if (content.starts_with(kTextStart)) return graph::from_text(content);
    if (content.starts_with(kBinaryStart)) return graph::from_binary(content);
    return fail(
        TolariaError::kUnsupported,
        "the file is no Program: expected its text form, its binary form or the folder of a "
        "run");
}

Status check_fit(const graph::Program& program, const DatasetInfo& data) {
    const auto* input = program.find_input("x");
    const auto* output = program.find_output("logits");
    if (input == nullptr || output == nullptr || program.inputs().size() != 1)
        return fail(TolariaError::kUnsupported,
                    "a host has one input x and an output logits; this Program has others");
    graph::TensorType wanted{data.tokens ? graph::DType::kInt64 : graph::DType::kFloat32, {-1}};
    wanted.shape.insert(wanted.shape.end(), data.input_shape.begin(), data.input_shape.end());
    if (input->type != wanted)
        return fail(
            TolariaError::kUnsupported,
            fmt::format("it takes {}, but data.kind '{}' gives {}", graph::to_string(input->type),
                        data.name, graph::to_string(wanted)));
    ESPER_TRY(const auto types, graph::infer_types(program));
    const auto& logits = types[output->value.value()];
    if (logits.shape.empty() || logits.shape.back() < data.classes)
        return fail(TolariaError::kUnsupported,
                    fmt::format("its logits are {}, but the data have {} classes",
                                graph::to_string(logits), data.classes));
    return {};
}

Result<graph::ProgramPtr> read_fitting(const std::filesystem::path& path, const DatasetInfo& data) {
    ESPER_TRY(const auto program, read_program(path));
    ESPER_TRY(auto host, graph::settle_seeds(*program));
    ESPER_CHECK_STATUS(check_fit(*host, data));
    return host;
}

}  // namespace

Result<graph::ProgramPtr> read_saved_host(const std::filesystem::path& path,
                                          const DatasetInfo& data) {
    auto host = read_fitting(path, data);
    if (!host) return fail(host.error().within("model.path '" + path.string() + "'"));
    return host;
}

}  // namespace esper::tolaria
