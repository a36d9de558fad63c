#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "esper/base/error.h"
#include "esper/kernel_abi.h"

namespace esper::execution {

/// A shared object with the three functions of interface 3, mapped into this process.
struct BranchLibrary {
    const EsperKernelInfo* info = nullptr;
    decltype(&esper_kernel_forward) forward = nullptr;
    decltype(&esper_kernel_backward) backward = nullptr;
    std::shared_ptr<void> handle;
};

/// Checks that an object asks for nothing but memset and memcpy, names no other library and runs
/// nothing when it is loaded: such an object cannot open, send or start anything by a call.
/// Errors: kBadBundle (not an ELF object of this machine), kNotLoadable.
Status check_object(std::string_view object);

/// Checks and maps an object's bytes. Errors: those of check_object, kNotLoadable, kMissingSymbol,
/// kAbiMismatch.
Result<BranchLibrary> load_branch_library(const std::string& id, std::string_view object);

}  // namespace esper::execution
