#pragma once

#include "esper/contracts/declare.h"
#include "esper/services/urza/library.h"

namespace esper::urza {

/// What the library's server and a library on another machine send each other, besides the
/// contracts that everybody may read. A statement travels as the bytes that were signed.

inline constexpr std::uint32_t kMostStatement = 1 << 20;
/// Bytes of a kernel's object that can be handed in.
inline constexpr std::uint32_t kMostObject = 12 << 20;

/// `bytes` bytes in lower-case hex digits.
constexpr contracts::Rule hex_of(std::uint32_t bytes) {
    contracts::Rule rule = contracts::length(2 * bytes, 2 * bytes);
    rule.format = contracts::Format::kHex;
    return rule;
}

/// A kernel as the library keeps it, without its object.
struct KernelStatements {
    ESPER_CONTRACT(KernelStatements, 200, "A kernel with what was signed about it")
    ESPER_REQUIRED(1, contracts::CompiledKernelArtifact, artifact, any(), "As it was added")
    ESPER_REQUIRED(2, contracts::KernelStatus, status, any(), "As the database says")
    ESPER_REQUIRED(3, bool, collected, any(), "Its object was given up")
    ESPER_REQUIRED(4, std::string, manifest, length(1, kMostStatement), "The bytes signed")
    ESPER_REQUIRED(5, std::string, forge_key, hex_of(8), "")
    ESPER_REQUIRED(6, std::string, forge_signature, hex_of(64), "")
    ESPER_FIELD(7, std::string, verdict, "", length(0, kMostStatement), "The newest; empty: none")
    ESPER_FIELD(8, std::string, gauntlet_key, "", length(0, 16), "")
    ESPER_FIELD(9, std::string, gauntlet_signature, "", length(0, 128), "")
    ESPER_FIELD(10, std::string, report, "", length(0, kMostStatement),
                "A UrabraskValidationReport as JSON; the verdict has its SHA-256")
};
struct KernelList {
    ESPER_CONTRACT(KernelList, 201, "Kernels")
    ESPER_REQUIRED(1, std::vector<KernelStatements>, items, any().items(0, 4096), "")
};

/// A kernel from the forge.
struct KernelHandIn {
    ESPER_CONTRACT(KernelHandIn, 202, "A kernel that its forge has sealed")
    ESPER_REQUIRED(1, std::string, manifest, length(1, kMostStatement), "The bytes signed")
    ESPER_REQUIRED(2, std::string, forge_key, hex_of(8), "")
    ESPER_REQUIRED(3, std::string, forge_signature, hex_of(64), "")
    ESPER_REQUIRED(4, contracts::KernelMetadata, metadata, any(), "")
    ESPER_REQUIRED(5, contracts::CompilationRecord, compilation, any(), "")
    ESPER_REQUIRED(6, std::string, object, length(4, (kMostObject + 2) / 3 * 4),
                   "The shared object, base64")
};
struct VerdictHandIn {
    ESPER_CONTRACT(VerdictHandIn, 203, "A verdict that its gauntlet has sealed")
    ESPER_REQUIRED(1, std::string, verdict, length(1, kMostStatement), "The bytes signed")
    ESPER_REQUIRED(2, std::string, gauntlet_key, hex_of(8), "")
    ESPER_REQUIRED(3, std::string, gauntlet_signature, hex_of(64), "")
    ESPER_REQUIRED(4, std::string, report, length(1, kMostStatement),
                   "A UrabraskValidationReport as JSON; the verdict has its SHA-256")
};
struct AddedKernel {
    ESPER_CONTRACT(AddedKernel, 204, "The kernel that is in the library now")
    ESPER_REQUIRED(1, std::string, kernel_artifact_id, id(), "")
};

/// KernelAsk.
struct KernelWanted {
    ESPER_CONTRACT(KernelWanted, 205, "What a kernel is needed for")
    ESPER_REQUIRED(1, std::string, branch, id(), "The blueprint's id")
    ESPER_REQUIRED(2, std::string, precision, length(1, 16), "fp32, bf16")
    ESPER_REQUIRED(3, std::vector<std::int64_t>, sample, range(1, 1e9).items(0, 16), "Its sizes")
    ESPER_REQUIRED(4, std::int64_t, rows_min, at_least(1), "Samples in a call")
    ESPER_REQUIRED(5, std::int64_t, rows_max, at_least(1), "")
    ESPER_REQUIRED(6, std::vector<std::string>, cpu_features, length(1, 64).items(0, 4096),
                   "Of the processor that shall run it, as /proc/cpuinfo calls them")
};

struct RunReport {
    ESPER_CONTRACT(RunReport, 206, "How a seed of a run ended")
    ESPER_FIELD(1, std::string, run, "", length(0, 255), "The run's id")
    ESPER_REQUIRED(2, std::string, seed, length(1, 255), "Its name there")
    ESPER_FIELD(3, std::string, host, "", length(0, 255), "The kind of the run's host")
    ESPER_REQUIRED(4, contracts::FieldReport, report, any(), "")
};
struct Candidates {
    ESPER_CONTRACT(Candidates, 207, "How often runs measured candidates of a blueprint")
    ESPER_REQUIRED(1, std::string, blueprint, id(), "Its id")
    ESPER_FIELD(2, std::string, host, "", length(0, 255), "The kind of the runs' host")
    ESPER_REQUIRED(3, std::int64_t, measured, at_least(0), "")
    ESPER_REQUIRED(4, std::int64_t, chosen, at_least(0), "How many germinated")
    ESPER_FIELD(5, std::int64_t, runs, 1, at_least(0), "")
    ESPER_FIELD(6, std::int64_t, runs_chosen, 0, at_least(0), "In which at least one germinated")
};
struct CandidateList {
    ESPER_CONTRACT(CandidateList, 208, "Candidates of all runs, summed")
    ESPER_REQUIRED(1, std::vector<Candidates>, items, any(), "")
};
/// FieldRun.
struct RunHandIn {
    ESPER_CONTRACT(RunHandIn, 209, "What one run says of the blueprints that it tried")
    ESPER_REQUIRED(1, std::string, run, id(), "A hash of what it did")
    ESPER_REQUIRED(2, std::string, host, length(1, 255), "The kind of its host")
    ESPER_FIELD(3, std::vector<RunReport>, reports, {}, any().items(0, 4096), "")
    ESPER_FIELD(4, std::vector<Candidates>, candidates, {}, any().items(0, 4096), "")
};
struct FiledRun {
    ESPER_CONTRACT(FiledRun, 210, "Whether a run said something new")
    ESPER_REQUIRED(1, bool, is_new, any(), "False: it was filed before, and nothing changed")
};

struct SealedHead {
    ESPER_CONTRACT(SealedHead, 211, "The last entry of the ledger, as the library signed it")
    ESPER_REQUIRED(1, std::string, statement, length(0, kMostStatement),
                   "The bytes signed; empty: the ledger has no entry")
    ESPER_REQUIRED(2, std::string, library_key, length(0, 16), "")
    ESPER_REQUIRED(3, std::string, library_signature, length(0, 128), "")
};
struct CollectedObjects {
    ESPER_CONTRACT(CollectedObjects, 212, "What was given up")
    ESPER_REQUIRED(1, std::uint64_t, kernels, any(), "Whose object was dropped")
    ESPER_REQUIRED(2, std::uint64_t, files, any(), "Of no kernel")
    ESPER_REQUIRED(3, std::uint64_t, young, any(), "Of no kernel, but too new to go")
    ESPER_REQUIRED(4, std::uint64_t, bytes, any(), "")
};
struct TokenOwner {
    ESPER_CONTRACT(TokenOwner, 213, "Who asks")
    ESPER_REQUIRED(1, std::string, name, length(1, 255), "")
    ESPER_REQUIRED(2, contracts::AccessRole, role, any(), "")
};

Result<KernelStatements> statements_of(const KernelRecord& record);
/// The record, whose parts must be about one kernel. Says nothing about the seals.
/// Error: kBadAnswer.
Result<KernelRecord> record_of(const KernelStatements& sent);

/// Error: kTooLarge where the object is too large to be sent.
Result<KernelHandIn> hand_in_of(const NewKernel& kernel);
/// Error: kBadRequest for an object that is not base64.
Result<NewKernel> kernel_of(const KernelHandIn& sent);
Result<execution::Seal> seal_of(const std::string& key, const std::string& signature_hex);

KernelWanted wanted_of(const KernelAsk& ask);
KernelAsk ask_of(const KernelWanted& wanted);

RunHandIn hand_in_of(const FieldRun& run);
FieldRun run_of(const RunHandIn& sent);
RunReport sent_of(const FiledReport& filed);
FiledReport filed_of(const RunReport& sent);
Candidates sent_of(const MeasuredCandidates& candidates);
MeasuredCandidates candidates_of(const Candidates& sent);

}  // namespace esper::urza
