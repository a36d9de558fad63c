#include "esper/execution/kernels/loaded_kernel.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "esper/execution/kernels/kernel_guard.h"

namespace esper::execution {

LoadedKernel::LoadedKernel(std::string artifact_id, std::uint64_t bytes, OwnedFd image)
    : artifact_id_(std::move(artifact_id)), bytes_(bytes), image_(std::move(image)) {}

LoadedKernel::~LoadedKernel() {
    if (library_ != nullptr) ::dlclose(library_);
}

Status LoadedKernel::enter_process() {
    std::lock_guard lock(mutex_);
    if (run_ != nullptr) return {};
    const std::string path = fmt::format("/proc/self/fd/{}", image_.get());
    if (library_ == nullptr) library_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) {
        return fail(KernelError::kNotLoadable, fmt::format("{}: {}", artifact_id_, ::dlerror()));
    }
    auto* abi =
        reinterpret_cast<decltype(&esper_kernel_abi)>(::dlsym(library_, "esper_kernel_abi"));
    auto* run = reinterpret_cast<RunFunction>(::dlsym(library_, "esper_kernel_run"));
    if (abi == nullptr || run == nullptr) {
        return fail(KernelError::kMissingSymbol,
                    fmt::format("{} does not export {}", artifact_id_,
                                abi == nullptr ? "esper_kernel_abi" : "esper_kernel_run"));
    }
    if (abi() != ESPER_KERNEL_ABI) {
        return fail(KernelError::kAbiMismatch,
                    fmt::format("{} speaks kernel interface {}, this is {}; compile it anew",
                                artifact_id_, abi(), ESPER_KERNEL_ABI));
    }
    run_ = run;
    return {};
}

Status LoadedKernel::run(std::span<const KernelTensor> inputs,
                         std::span<const KernelTensor> outputs) const {
    EsperTensor in[ESPER_KERNEL_MAX_TENSORS], out[ESPER_KERNEL_MAX_TENSORS];
    for (std::size_t i = 0; i < inputs.size(); ++i) in[i] = input_tensor(inputs[i]);
    for (std::size_t i = 0; i < outputs.size(); ++i) out[i] = output_tensor(outputs[i]);
    const std::int32_t code = run_(in, static_cast<std::int32_t>(inputs.size()), out,
                                   static_cast<std::int32_t>(outputs.size()));
    if (code != 0) {
        return fail(KernelError::kReturnedError, fmt::format("{} returned {}", artifact_id_, code));
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        ESPER_CHECK_STATUS(check_output(out[i], outputs[i]));
    }
    return {};
}

Result<std::unique_ptr<CachedKernel>> VerifiedKernelSource::load(std::uint64_t id,
                                                                 std::string bytes) {
    ESPER_TRY(KernelBundle bundle, parse_bundle(bytes));
    KernelWant want = want_ ? want_(id) : KernelWant{};
    want.id = id;
    ESPER_TRY(const VerifiedBundle verified, verify_bundle(bundle, ring_, want));
    ESPER_TRY(OwnedFd image, seal_image(bundle.object));
    return std::make_unique<LoadedKernel>(verified.manifest.artifact, bundle.object.size(),
                                          std::move(image));
}

}  // namespace esper::execution
