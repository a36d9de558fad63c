#pragma once

#include "esper/contracts/identity.h"
#include "esper/execution/kernels/kernel_bundle.h"
#include "esper/kernel_abi.h"

namespace esper::testing {

/// One key of each role, and the ring that trusts them.
struct TestTrust {
    execution::Signer root = make(execution::KeyRole::kRoot);
    execution::Signer forge = make(execution::KeyRole::kForge);
    execution::Signer gauntlet = make(execution::KeyRole::kGauntlet);
    execution::Signer library = make(execution::KeyRole::kLibrary);
    execution::KeyRing ring = *execution::KeyRing::make(root, {});

    TestTrust() {
        for (const auto* signer : {&forge, &gauntlet, &library})
            value_or_throw(ring.add(signer->role(), signer->open(), {}, std::span(&root, 1)));
    }
    static execution::Signer make(execution::KeyRole role) {
        return *execution::Signer::make(role, execution::generate_key_pair()->secret);
    }
};

inline const TestTrust& test_trust() {
    static const TestTrust trust;
    return trust;
}

inline execution::KernelManifest test_manifest(const std::string& artifact) {
    execution::KernelManifest manifest;
    manifest.artifact = artifact;
    manifest.abi = ESPER_BRANCH_KERNEL_ABI;
    manifest.branch = std::string(64, 'b');
    manifest.precision = "fp32";
    manifest.shape = {{64, 16, 16}, 1, 4096};
    manifest.isa = "x86-64";
    manifest.toolchain = "cc";
    manifest.flags = {"-O1"};
    return manifest;
}

inline execution::Verdict test_verdict(bool passed = true) {
    execution::Verdict verdict;
    verdict.report = std::string(64, '0');
    verdict.hardware = "a machine";
    verdict.shape = {{64, 16, 16}, 1, 1024};
    verdict.passed = passed;
    verdict.tags = {"high_speed"};
    return verdict;
}

/// The object with both seals.
inline execution::KernelBundle sealed_bundle(const execution::KernelManifest& manifest,
                                             const std::string& object,
                                             const TestTrust& trust = test_trust()) {
    auto bundle = *execution::forge_bundle(manifest, object, trust.forge);
    value_or_throw(execution::judge_bundle(bundle, test_verdict(), trust.gauntlet));
    return bundle;
}

/// The same as it would come from the library.
inline std::string bundle_of(const std::string& artifact, const std::string& object) {
    return execution::serialise_bundle(sealed_bundle(test_manifest(artifact), object));
}

}  // namespace esper::testing
