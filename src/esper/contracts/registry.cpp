#include "esper/contracts/registry.h"

#include <array>

#include "esper/contracts/messages.h"

namespace esper::contracts {
namespace {

template <Contract... T>
const auto& table() {
    static const std::array<const RecordInfo*, sizeof...(T)> all{&record_info<T>()...};
    static_assert([] {
        int last = 0;
        for (const int n : {static_cast<int>(T::esper_record.number)...}) {
            if (n <= last) return false;
            last = n;
        }
        return true;
    }());
    return all;
}

}  // namespace

std::span<const RecordInfo* const> all_contracts() {
    return table<SeedRef, KernelMetadata, CompilationRecord, UrabraskValidationReport,
                 CompiledKernelArtifact, Blueprint, BlueprintSubmission, HealthSignal,
                 HardwareContext, SeedStatus, SystemStatePacket, AdaptationDecision, OonaMessage,
                 BlueprintSubmitted, KernelReady, KernelCharacterized, EpochEvent,
                 KasminaControlCommand, FieldReport, KernelQuery, KernelMatch, KernelQueryResult,
                 RollbackNotice, KernelFailure, CacheTelemetry, ReplayTrajectory>();
}

const RecordInfo* find_contract(std::string_view name) {
    for (const RecordInfo* info : all_contracts()) {
        if (info->name == name) return info;
    }
    return nullptr;
}

const RecordInfo* find_contract(std::uint8_t number) {
    for (const RecordInfo* info : all_contracts()) {
        if (info->number == number) return info;
    }
    return nullptr;
}

}  // namespace esper::contracts
