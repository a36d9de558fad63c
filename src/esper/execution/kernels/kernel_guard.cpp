#include "esper/execution/kernels/kernel_guard.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "esper/base/hash.h"

namespace esper::execution {

namespace {

std::size_t page() {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

/// Memory that a copy of this process shares with it, in pieces that end where an inaccessible page
/// begins.
class SharedPieces {
  public:
    explicit SharedPieces(const std::vector<std::int64_t>& sizes) {
        for (const auto size : sizes) bytes_ += room(size) + page();
        memory_ = static_cast<char*>(
            ::mmap(nullptr, bytes_, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        if (memory_ == MAP_FAILED) return;
        auto* at = memory_;
        for (const auto size : sizes) {
            if (::mprotect(at, room(size), PROT_READ | PROT_WRITE) != 0) return;
            at += room(size);
            pieces_.push_back(at - size);
            at += page();
        }
        complete_ = true;
    }
    ~SharedPieces() {
        if (memory_ != MAP_FAILED) ::munmap(memory_, bytes_);
    }
    SharedPieces(const SharedPieces&) = delete;
    SharedPieces& operator=(const SharedPieces&) = delete;

    bool complete() const { return complete_; }
    char* piece(std::size_t i) const { return pieces_[i]; }

  private:
    static std::size_t room(std::int64_t size) {
        return (static_cast<std::size_t>(size) + page() - 1) / page() * page();
    }
    std::size_t bytes_ = 0;
    char* memory_ = nullptr;
    std::vector<char*> pieces_;
    bool complete_ = false;
};

/// A call whose results go to other places.
struct Copy {
    EsperKernelCall call{};
    std::vector<EsperOut> gradients;
    std::vector<EsperOut> saved;
    std::vector<EsperOut*> outs;  ///< of this copy
    std::vector<EsperOut> wanted;

    Copy(const EsperKernelInfo& info, const EsperKernelCall& from) : call(from) {
        if (from.parameter_gradients != nullptr)
            gradients.assign(from.parameter_gradients, from.parameter_gradients + info.parameters);
        if (from.saved != nullptr) saved.assign(from.saved, from.saved + info.saved);
        if (from.parameter_gradients != nullptr) call.parameter_gradients = gradients.data();
        if (from.saved != nullptr) call.saved = saved.data();
        call.pool = nullptr;  // the threads of a process are not in its copy
        const auto take = [&](EsperOut& out) {
            if (out.data == nullptr || out.bytes <= 0) return;
            outs.push_back(&out);
            wanted.push_back(out);
        };
        take(call.y);
        take(call.dx);
        for (auto& out : gradients) take(out);
        for (auto& out : saved) take(out);
        take(call.workspace);
    }
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;

    std::vector<std::int64_t> sizes() const {
        std::vector<std::int64_t> all;
        for (const auto& out : wanted) all.push_back(out.bytes);
        return all;
    }
    /// Backward reads what forward has saved.
    void move_to(const SharedPieces& pieces) {
        for (std::size_t i = 0; i < outs.size(); ++i) {
            outs[i]->data = pieces.piece(i);
            if (outs[i] != &call.workspace)
                std::memcpy(outs[i]->data, wanted[i].data,
                            static_cast<std::size_t>(wanted[i].bytes));
        }
    }
    void take_back() const {
        for (std::size_t i = 0; i < outs.size(); ++i)
            if (outs[i] != &call.workspace)
                std::memcpy(wanted[i].data, outs[i]->data,
                            static_cast<std::size_t>(wanted[i].bytes));
    }
};

std::uint32_t checksum(const EsperIn& in, std::uint32_t seed) {
    if (in.data == nullptr || in.bytes <= 0) return seed;
    return crc32c({static_cast<const std::byte*>(in.data), static_cast<std::size_t>(in.bytes)},
                  seed);
}

std::uint32_t checksum_of_inputs(const EsperKernelInfo& info, const EsperKernelCall& call) {
    auto sum = checksum(call.gradient, checksum(call.x, 0));
    for (int i = 0; i < info.parameters; ++i) sum = checksum(call.parameters[i], sum);
    return sum;
}

// A handler of this process would report a crash of its copy as one of its own.
void take_no_notice_of_crashes() {
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT})
        ::signal(signal, SIG_DFL);
}

constexpr std::string_view kWroteInput = "input";

Status judged(const ChildEnd& end, const ChildLimits& limits) {
    const bool slow = end.timed_out || end.signal == SIGXCPU ||
                      (end.signal == SIGKILL && end.cpu_seconds > 0.9 * limits.cpu_seconds);
    if (slow)
        return fail(KernelError::kTimedOut,
                    fmt::format("it was ended after {:.1f} s of processor time", end.cpu_seconds));
    if (end.signal != 0)
        return fail(KernelError::kCrashed, fmt::format("it was ended by signal {} ({})", end.signal,
                                                       ::strsignal(end.signal)));
    if (end.exit_code != 0)
        return fail(KernelError::kExited, fmt::format("it called exit({})", end.exit_code));
    if (end.output == kWroteInput)
        return fail(KernelError::kOverrun, "it wrote to what it may only read");
    if (end.output != "0")
        return fail(KernelError::kReturnedError, fmt::format("it returned {}", end.output));
    return {};
}

}  // namespace

Result<KernelGuard> KernelGuard::make(ChildLimits limits) {
    ESPER_TRY(auto folder, WorkFolder::make());
    return KernelGuard(std::move(folder), limits);
}

Status KernelGuard::call(KernelFunction function, const EsperKernelInfo& info,
                         const EsperKernelCall& call) const {
    Copy copy(info, call);
    const SharedPieces pieces(copy.sizes());
    if (!pieces.complete())
        return fail(KernelError::kGuardUnavailable,
                    fmt::format("no memory to share: {}", std::strerror(errno)));
    copy.move_to(pieces);
    ESPER_TRY(const auto end, run_in_copy(
                                  [&] {
                                      take_no_notice_of_crashes();
                                      const auto before = checksum_of_inputs(info, call);
                                      const auto code = function(&copy.call);
                                      return checksum_of_inputs(info, call) == before
                                                 ? std::to_string(code)
                                                 : std::string(kWroteInput);
                                  },
                                  folder_.path(), limits_));
    ESPER_CHECK_STATUS(judged(end, limits_));
    copy.take_back();
    return {};
}

}  // namespace esper::execution
